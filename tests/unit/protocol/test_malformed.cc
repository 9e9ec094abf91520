#include <doctest/doctest.h>

#include "hq/base/random.h"
#include "hq/protocol/client_codec.h"
#include "hq/protocol/limits.h"
#include "hq/protocol/worker_codec.h"
#include "protocol/wire_reader.h"
#include "protocol/wire_writer.h"
#include "support/protocol_samples.h"

using namespace hq;

namespace {

// All decoders over bytes that end exactly where the allocation does, so that the sanitizer sees any step
// beyond. Whatever is decoded can be encoded again. True if one of them took the bytes for a message.
bool decode_all(const std::string& bytes) {
  const std::vector<char> exact(bytes.begin(), bytes.end());
  const BytesView view(exact.data(), exact.size());
  const auto request = decode_request(view);
  const auto reply = decode_reply(view);
  const auto from_worker = decode_from_worker(view);
  const auto to_worker = decode_to_worker(view);
  (void)request_id_of(view);
  if (request) (void)encode(request->id, request->message);
  if (reply) (void)encode(reply->id, reply->message);
  if (from_worker) (void)encode(from_worker->session, from_worker->message);
  if (to_worker) (void)encode(to_worker->session, to_worker->message);
  return request || reply || from_worker || to_worker;
}

std::string bytes(std::initializer_list<int> values) {
  std::string out;
  for (const int v : values) out += char(v);
  return out;
}

}  // namespace

TEST_CASE("every truncation of every frame is refused") {
  for (const samples::Frame& frame : samples::frames()) {
    CAPTURE(frame.name);
    for (size_t size = 0; size < frame.bytes.size(); ++size) {
      CAPTURE(size);
      CHECK_FALSE(decode_all(frame.bytes.substr(0, size)));
    }
  }
}

TEST_CASE("bytes behind a frame are refused") {
  for (const samples::Frame& frame : samples::frames()) {
    CAPTURE(frame.name);
    CHECK_FALSE(decode_all(frame.bytes + '\0'));
  }
}

TEST_CASE("a frame with any one byte changed is an error or a message, never a crash") {
  size_t messages = 0;
  for (const samples::Frame& frame : samples::frames()) {
    std::string changed = frame.bytes;
    for (size_t at = 0; at < changed.size(); ++at) {
      for (const int flip : {0x01, 0x80, 0xff, 0x40}) {
        changed[at] = char(frame.bytes[at] ^ flip);
        messages += decode_all(changed) ? 1 : 0;
      }
      changed[at] = frame.bytes[at];
    }
  }
  CHECK(messages > 0);
}

TEST_CASE("random bytes are an error or a message, never a crash") {
  SeededRandom random(7);
  for (int round = 0; round < 20'000; ++round) {
    std::string noise(random.below(200), '\0');
    for (char& c : noise) c = char(random.next());
    decode_all(noise);
  }
}

TEST_CASE("a count beyond the rest of the message is refused before anything is allocated") {
  const auto array_of_4g = bytes({0xdd, 0xff, 0xff, 0xff, 0xff});
  const auto map_of_4g = bytes({0xdf, 0xff, 0xff, 0xff, 0xff});
  for (const std::string& bomb : {array_of_4g, map_of_4g}) {
    CHECK(decode_request(bomb).error().message ==
          "message: the count is larger than the rest of the message");
    CHECK_FALSE(decode_reply(bomb).ok());
    CHECK_FALSE(decode_from_worker(bomb).ok());
    CHECK_FALSE(decode_to_worker(bomb).ok());
    CHECK(request_id_of(bomb) == RequestId(0));
  }
  // The same inside a report and a submit.
  CHECK_FALSE(decode_from_worker(bytes({0x95, 2, 1, 1}) + array_of_4g).ok());
  WireWriter w;
  w.map(2);
  w.str("type");
  w.str("submit");
  w.str("graph");
  CHECK_FALSE(decode_request(w.take() + array_of_4g).ok());
}

TEST_CASE("nesting is followed to a fixed depth only") {
  const std::string deep(1'000'000, char(0x91));

  CHECK(decode_request(deep + '\xc0').error().message == "message: nested too deeply");
  CHECK_FALSE(decode_from_worker(bytes({0x93, 4, 1}) + deep).ok());
}

TEST_CASE("frames above their limit are refused unread") {
  const std::string padding(limits::kMaxWorkerFrame, '\0');

  CHECK(decode_from_worker(padding + '\0').error().message == "message: larger than a frame may be");
  CHECK(decode_to_worker(padding + '\0').error().message == "message: larger than a frame may be");
  CHECK(decode_reply(padding).error().message == "reply: larger than a frame may be");
}

TEST_CASE("a table with more rows than allowed is refused") {
  WireWriter ids;
  ids.array(4);
  ids.uint(24);
  ids.uint(1);
  ids.uint(1);
  ids.array(3);
  ids.array(limits::kMaxRows + 1);
  for (uint32_t i = 0; i <= limits::kMaxRows; ++i) ids.uint(i);
  ids.array(0);
  ids.array(0);
  CHECK(decode_to_worker(ids.take()).error().message == "cancel_tasks.ids: too many rows");
}

TEST_CASE("an error of a worker message names message and field") {
  CHECK(decode_from_worker(bytes({0x93, 4, 1, 0xa1, 'x'})).error().message ==
        "heartbeat.counter: expected an unsigned integer");
  CHECK(decode_to_worker(bytes({0x93, 27, 1, 9})).error().message ==
        "stop_worker.reason: the integer is too large");
  CHECK(decode_to_worker(bytes({0x92, 99, 1})).error().message == "message: unknown kind 99");
  CHECK(decode_to_worker(bytes({0x92, 25, 1})).error().message == "ack.report: the message ends too early");
  CHECK(decode_from_worker(bytes({0x92, 25, 1})).error().message == "message: unknown kind 25");
}

TEST_CASE("fields that a later protocol appends to a worker message are passed over") {
  const auto heartbeat = decode_from_worker(bytes({0x95, 4, 1, 9, 0x91, 0xc0, 0xa1, 'x'}));

  REQUIRE(heartbeat.ok());
  CHECK(std::get<msg::Heartbeat>(heartbeat->message).counter == 9);
}

TEST_CASE("a hello of a protocol that is not spoken can be read as far as a refusal needs") {
  WireWriter w;
  w.array(6);
  w.uint(1);
  w.uint(0);
  w.uint(9);
  w.uint(8);
  w.str("9.1.0");
  w.map(0);

  const auto hello = decode_from_worker(w.take());

  REQUIRE(hello.ok());
  const auto& message = std::get<msg::Hello>(hello->message);
  CHECK(message.protocol == 9);
  CHECK(message.min_protocol == 8);
  CHECK(message.version == "9.1.0");
}

TEST_CASE("integers of all widths are written shortest and read back") {
  for (const int64_t v : {INT64_MIN, int64_t{INT32_MIN} - 1, int64_t{INT32_MIN}, int64_t{-32769},
                          int64_t{-129}, int64_t{-128}, int64_t{-33}, int64_t{-32}, int64_t{-1}, int64_t{0},
                          int64_t{127}, int64_t{128}, int64_t{255}, int64_t{256}, int64_t{65535},
                          int64_t{65536}, int64_t{UINT32_MAX}, int64_t{UINT32_MAX} + 1, INT64_MAX}) {
    CAPTURE(v);
    WireWriter w;
    w.sint(v);
    const Bytes written = w.take();
    WireReader r(written);
    CHECK(r.sint("v", INT64_MIN, INT64_MAX) == v);
    CHECK(r.left() == 0);
  }
}

TEST_CASE("text that is not UTF-8 is sent as bin") {
  CHECK(is_utf8("plain, more than eight bytes"));
  CHECK(is_utf8("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"));
  CHECK_FALSE(is_utf8("\xff"));
  CHECK_FALSE(is_utf8("\xc3"));
  CHECK_FALSE(is_utf8("\xc0\x80"));
  CHECK_FALSE(is_utf8("\xed\xa0\x80"));
  CHECK_FALSE(is_utf8("\xf4\x90\x80\x80"));
}
