// Client messages to and from bytes.
#pragma once

#include <string_view>

#include "hq/base/bytes.h"
#include "hq/base/result.h"
#include "hq/protocol/client_messages.h"

namespace hq {

// Given by the client, unique among its open requests.
using RequestId = Id<struct RequestTag, uint64_t>;

template <class M>
struct Tagged {
  RequestId id;
  M message;
};

[[nodiscard]] Bytes encode(RequestId id, const msg::ClientRequest& request);
[[nodiscard]] Bytes encode(RequestId id, const msg::ClientReply& reply);
// On an error the request's id (0 if unreadable) is still wanted for the answer: see request_id_of.
[[nodiscard]] Result<Tagged<msg::ClientRequest>> decode_request(BytesView frame);
// The same; very many entries may take the frame with them instead of being copied out of it.
[[nodiscard]] Result<Tagged<msg::ClientRequest>> take_request(Bytes& frame);
[[nodiscard]] Result<Tagged<msg::ClientReply>> decode_reply(BytesView frame);
[[nodiscard]] RequestId request_id_of(BytesView frame);
// "submit", "cancel_jobs", ...: the value of "type".
[[nodiscard]] std::string_view type_name(const msg::ClientRequest& request);
[[nodiscard]] std::string_view type_name(const msg::ClientReply& reply);

}  // namespace hq
