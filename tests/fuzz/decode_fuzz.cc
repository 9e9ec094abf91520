// Feeds mutated frames to all decoders and parsers of text. Built as a program that mutates by itself, from
// one seed:
//   decode_fuzz [iterations] [seed]
// With clang the engine of libFuzzer can drive it instead (the macro leaves out main):
//   CXX=clang++ meson setup build-fuzz -Dcpp_args='-fsanitize=fuzzer-no-link,address -DHQ_LIBFUZZER'
//   and this file linked with -fsanitize=fuzzer
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "hq/base/random.h"
#include "hq/core/text/id_array_text.h"
#include "hq/protocol/client_codec.h"
#include "hq/protocol/worker_codec.h"
#include "support/protocol_samples.h"

using namespace hq;

namespace {

// What was decoded must survive being sent on: encoded and decoded once more it is the same message.
template <class Decoded, class Decode>
void check_stable(const Decoded& first, Decode decode) {
  const auto again = decode(first);
  if (again.ok() && again->message == first.message) return;
  std::fprintf(stderr, "a decoded message did not survive: %s\n",
               again.ok() ? "another one came out" : again.error().full_text().c_str());
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const BytesView bytes(reinterpret_cast<const char*>(data), size);
  if (const auto m = decode_request(bytes))
    check_stable(*m, [](const auto& x) { return decode_request(encode(x.id, x.message)); });
  if (const auto m = decode_reply(bytes))
    check_stable(*m, [](const auto& x) { return decode_reply(encode(x.id, x.message)); });
  if (const auto m = decode_from_worker(bytes))
    check_stable(*m, [](const auto& x) { return decode_from_worker(encode(x.session, x.message)); });
  if (const auto m = decode_to_worker(bytes))
    check_stable(*m, [](const auto& x) { return decode_to_worker(encode(x.session, x.message)); });
  (void)request_id_of(bytes);
  (void)parse_id_array(bytes);
  return 0;
}

#ifndef HQ_LIBFUZZER
namespace {

// Bytes that mean much to msgpack, or to the ranges of texts.
constexpr uint8_t kTelling[] = {0x00, 0x7f, 0x80, 0x90, 0xa0, 0xc0, 0xc1, 0xc4, 0xc6, 0xc7, 0xcb, 0xcf,
                                0xd3, 0xd9, 0xdb, 0xdc, 0xdd, 0xde, 0xdf, 0xe0, 0xff, '0',  '-',  ','};

void mutate(std::string& bytes, const std::vector<samples::Frame>& corpus, Random& random) {
  const size_t at = bytes.empty() ? 0 : random.below(bytes.size());
  switch (random.below(7)) {
    case 0:
      if (!bytes.empty()) bytes[at] = char(uint8_t(bytes[at]) ^ (1U << random.below(8)));
      break;
    case 1:
      if (!bytes.empty()) bytes[at] = char(kTelling[random.below(std::size(kTelling))]);
      break;
    case 2:
      bytes.insert(at, 1, char(random.next()));
      break;
    case 3:
      bytes.erase(at, 1 + random.below(8));
      break;
    case 4:
      bytes.resize(at);
      break;
    case 5: {  // a piece of another frame
      const std::string& other = corpus[random.below(corpus.size())].bytes;
      const size_t from = random.below(other.size());
      bytes.insert(at, other, from, 1 + random.below(32));
      break;
    }
    default:  // a piece of its own, again
      bytes.insert(at, bytes.substr(bytes.empty() ? 0 : random.below(bytes.size()), 1 + random.below(16)));
      break;
  }
}

}  // namespace

int main(int argc, char** argv) {
  const long iterations = argc > 1 ? std::atol(argv[1]) : 200'000;
  SeededRandom random(argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1);
  const std::vector<samples::Frame> corpus = samples::frames();
  for (long i = 0; i < iterations; ++i) {
    std::string bytes = corpus[random.below(corpus.size())].bytes;
    for (uint64_t n = random.below(6); n > 0; --n) mutate(bytes, corpus, random);
    // A copy of its own size, so that a sanitizer sees any step beyond the end.
    const std::vector<uint8_t> exact(bytes.begin(), bytes.end());
    LLVMFuzzerTestOneInput(exact.data(), exact.size());
  }
  std::printf("%ld inputs\n", iterations);
}
#endif
