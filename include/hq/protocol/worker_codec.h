// Worker messages to and from bytes. Decoding checks every count against the bytes that are left and never
// trusts a length; anything wrong is an Error that names the message and field.
#pragma once

#include "hq/base/bytes.h"
#include "hq/base/result.h"
#include "hq/protocol/worker_messages.h"

namespace hq {

using SessionId = Id<struct SessionTag, uint64_t>;

template <class M>
struct Addressed {
  SessionId session;  // 0 before the welcome
  M message;
};

[[nodiscard]] Bytes encode(SessionId session, const msg::FromWorker& message);
[[nodiscard]] Bytes encode(SessionId session, const msg::ToWorker& message);
[[nodiscard]] Result<Addressed<msg::FromWorker>> decode_from_worker(BytesView frame);
[[nodiscard]] Result<Addressed<msg::ToWorker>> decode_to_worker(BytesView frame);

}  // namespace hq
