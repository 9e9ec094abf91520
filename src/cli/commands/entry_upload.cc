#include "cli/commands/entry_upload.h"

#include <utility>

#include "cli/commands/submit_request.h"

namespace hq::cli {

Result<void> EntryUpload::send(Entries piece, uint64_t expected_bytes) {
  entries_ += uint32_t(piece.size());
  bytes_ += piece.bytes();
  if (bytes_ > kMostSubmitBytes) return {};
  return client_.send_ahead(request_, msg::UploadEntries{std::move(piece), expected_bytes});
}

RequestId EntryUpload::submit(msg::Submit&& message) {
  client_.send_last(request_, std::move(message));
  return request_;
}

}  // namespace hq::cli
