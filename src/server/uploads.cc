// Entries that go ahead of their submit (docs/protocol.md, Entries ahead of a submit), so that neither side
// holds a frame of them all, and reading, encrypting and decoding go on at the same time.
#include <algorithm>
#include <utility>

#include "server/impl.h"

namespace hq {

// What is wrong with so many more.
std::optional<std::string> Server::Impl::refuse_more(const Entries& entries, const Entries& more) const {
  const size_t most = options.most_upload_bytes;
  if (entries.bytes() + more.bytes() <= most) return std::nullopt;
  return "The entries of one submit take more than " + std::to_string(most) + " bytes";
}

void Server::Impl::on(PeerId from, RequestId id, msg::UploadEntries&& request) {
  const auto [found, is_new] = uploads.try_emplace(from);
  Upload& upload = found->second;
  if (is_new || upload.submit != id) {
    upload = {id, {}};
    // What is promised costs address space only, until it comes.
    upload.entries.blob.reserve(std::min<uint64_t>(request.expected_bytes, options.most_upload_bytes));
  }
  if (auto refusal = refuse_more(upload.entries, request.entries)) {
    uploads.erase(found);
    reply(from, id, msg::Failed{*refusal});
    return;
  }
  upload.entries.append(request.entries);
}

std::optional<std::string> Server::Impl::take_uploaded(PeerId from, RequestId id, msg::Submit& request) {
  const auto taken = uploads.extract(from);
  Entries entries;
  if (!taken.empty() && taken.mapped().submit == id) entries = std::move(taken.mapped().entries);
  if (entries.size() != request.uploaded) {
    return std::to_string(entries.size()) + " entries were uploaded, not " + std::to_string(request.uploaded);
  }
  if (request.uploaded == 0) return std::nullopt;
  request_bytes += entries.bytes();
  std::optional<Entries>& last = request.submit.entries;
  if (last) {
    if (auto refusal = refuse_more(entries, *last)) return refusal;
    entries.append(*last);
  }
  last = std::move(entries);
  return std::nullopt;
}

}  // namespace hq
