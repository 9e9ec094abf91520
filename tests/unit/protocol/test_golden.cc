// The bytes of every message are pinned by tests/protocol/golden/<side>/<message>.hex. After a wanted change
// of the protocol run this program with HQ_UPDATE_GOLDEN=1 and look at the differences.
#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "hq/protocol/client_codec.h"
#include "hq/protocol/worker_codec.h"
#include "support/protocol_samples.h"

using namespace hq;

namespace {

std::filesystem::path golden_path(const std::string& name) {
  return std::filesystem::path(HQ_GOLDEN_DIR) / (name + ".hex");
}

// Lines of 32 bytes.
std::string to_hex(const std::string& bytes) {
  static const char* const kDigits = "0123456789abcdef";
  std::string out;
  for (size_t i = 0; i < bytes.size(); ++i) {
    out += kDigits[uint8_t(bytes[i]) >> 4];
    out += kDigits[uint8_t(bytes[i]) & 15];
    if (i % 32 == 31 || i + 1 == bytes.size()) out += '\n';
  }
  return out;
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

template <class Samples, class Decode>
void check_round_trip(const Samples& samples, Decode decode) {
  for (const auto& sample : samples) {
    CAPTURE(sample.name);
    const auto back = decode(sample.message);
    REQUIRE_MESSAGE(back.ok(), back.error().message);
    CHECK(back->message == sample.message);
  }
}

}  // namespace

TEST_CASE("the bytes of each message are those of its golden file") {
  const bool update = std::getenv("HQ_UPDATE_GOLDEN") != nullptr;

  for (const samples::Frame& frame : samples::frames()) {
    CAPTURE(frame.name);
    const auto path = golden_path(frame.name);
    if (update) {
      std::filesystem::create_directories(path.parent_path());
      std::ofstream(path) << to_hex(frame.bytes);
    }
    CHECK(read_file(path) == to_hex(frame.bytes));
  }
}

TEST_CASE("no golden file is without its message") {
  size_t files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(HQ_GOLDEN_DIR))
    files += entry.is_regular_file() ? 1 : 0;

  CHECK(files == samples::frames().size());
}

TEST_CASE("a decoded message is the one that was encoded, in every field") {
  check_round_trip(samples::requests(),
                   [](const auto& m) { return decode_request(encode(RequestId(7), m)); });
  check_round_trip(samples::replies(), [](const auto& m) { return decode_reply(encode(RequestId(7), m)); });
  check_round_trip(samples::from_worker(),
                   [](const auto& m) { return decode_from_worker(encode(SessionId(7), m)); });
  check_round_trip(samples::to_worker(),
                   [](const auto& m) { return decode_to_worker(encode(SessionId(7), m)); });
}

TEST_CASE("there is a sample of every kind of message") {
  const auto covers = [](const auto& samples, auto variants) {
    for (size_t i = 0; i < variants; ++i) {
      bool found = false;
      for (const auto& sample : samples) found = found || sample.message.index() == i;
      CHECK(found);
    }
  };

  covers(samples::requests(), std::variant_size_v<msg::ClientRequest>);
  covers(samples::replies(), std::variant_size_v<msg::ClientReply>);
  covers(samples::from_worker(), std::variant_size_v<msg::FromWorker>);
  covers(samples::to_worker(), std::variant_size_v<msg::ToWorker>);
}

TEST_CASE("the id of a request and the session of a worker message come back") {
  CHECK(decode_request(encode(RequestId(UINT64_MAX), msg::ListJobs{}))->id == RequestId(UINT64_MAX));
  CHECK(decode_reply(encode(RequestId(0), msg::Done{}))->id == RequestId(0));
  CHECK(decode_from_worker(encode(SessionId(9), msg::Heartbeat{1}))->session == SessionId(9));
  CHECK(decode_to_worker(encode(SessionId(1ULL << 63), msg::Ack{1}))->session == SessionId(1ULL << 63));
}
