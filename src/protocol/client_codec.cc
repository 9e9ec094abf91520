#include "hq/protocol/client_codec.h"

#include "hq/protocol/limits.h"
#include "protocol/describe_client.h"
#include "protocol/in_order_reader.h"
#include "protocol/map_reader.h"
#include "protocol/map_writer.h"
#include "protocol/wire_reader.h"

namespace hq {

namespace {

template <class M>
void put_message(WireWriter& w, RequestId id, const M& message) {
  static_assert(!kTypeName<M>.empty());
  w.map(2 + field_count(message));
  w.str("id");
  w.uint(id.value);
  w.str("type");
  w.str(kTypeName<M>);
  FieldWriter fields(w);
  describe(fields, message);
}

// What the large parts of a message will take, so that they are moved once.
size_t size_hint(const msg::ClientRequest& request) {
  constexpr size_t kRest = 4096;
  if (const auto* upload = std::get_if<msg::UploadEntries>(&request)) return kRest + upload->entries.bytes();
  const auto* submit = std::get_if<msg::Submit>(&request);
  if (submit == nullptr || !submit->submit.entries) return kRest;
  return kRest + submit->submit.entries->bytes();
}

size_t size_hint(const msg::ClientReply& reply) {
  constexpr size_t kRest = 4096;
  constexpr size_t kRow = 48;   // as ended tasks take
  constexpr size_t kJob = 160;  // with a name of usual length
  if (const auto* list = std::get_if<msg::JobList>(&reply)) return kRest + kJob * list->jobs.size();
  if (const auto* page = std::get_if<msg::TaskPage>(&reply)) return kRest + kRow * page->tasks.size();
  if (const auto* job = std::get_if<msg::JobDetail>(&reply)) return kRest + kRow * job->tasks.size();
  return kRest;
}

template <class Variant>
Bytes encode_message(RequestId id, const Variant& message) {
  WireWriter w(size_hint(message));
  std::visit([&](const auto& m) { put_message(w, id, m); }, message);
  return w.take();
}

// Reads the map as the alternative whose name is `type`. False when there is none of that name.
template <class Variant, size_t I = 0>
bool read_as(std::string_view type, const msgpack::object& root, MapValue::Failure& failure, Variant& out) {
  if constexpr (I == std::variant_size_v<Variant>) {
    return false;
  } else {
    using M = std::variant_alternative_t<I, Variant>;
    if (kTypeName<M> != type) return read_as<Variant, I + 1>(type, root, failure, out);
    get(MapValue(root, kTypeName<M>.data(), failure), out.template emplace<I>());
    return true;
  }
}

constexpr size_t kLarge = size_t{1} << 20;  // bytes; smaller texts are copied out of a frame

// `owner` is of the frame and may be taken; null when it may not.
template <class Variant>
Result<Tagged<Variant>> decode_message(BytesView frame, Bytes* owner, size_t max_size, const char* what) {
  if (frame.size() > max_size) return Error(std::string(what) + ": larger than a frame may be");
  Result<MapTree> tree = MapTree::of(frame);
  if (!tree) return std::move(tree.error());
  const msgpack::object& root = tree->root();
  MapValue::Failure failure;
  if (owner != nullptr) failure.large = std::max(kLarge, frame.size() / 2);  // else little would keep much
  const MapValue map(root, what, failure);
  if (!map.expect_map()) return Error(std::move(failure.text));

  Tagged<Variant> out;
  std::string type;
  FieldReader fields(map);
  fields.field("id", out.id);
  fields.field("type", type);
  if (map.ok() && !read_as(type, root, failure, out.message))
    return Error(std::string(what) + ".type: unknown type '" + type + "'");
  if (!map.ok()) return Error(std::move(failure.text));
  if (owner != nullptr && failure.takes_frame != nullptr) {
    const std::string_view left = failure.left_in_frame;
    const auto before = size_t(left.data() - frame.data());
    owner->erase(0, before);
    owner->resize(left.size());
    *failure.takes_frame = std::move(*owner);
  }
  return out;
}

// The reply if it is an M as our own writer puts it; nothing else is said of it.
template <class M>
std::optional<Tagged<msg::ClientReply>> read_in_order(BytesView frame) {
  WireReader reader(frame);
  InOrderReader fields(reader);
  Tagged<msg::ClientReply> out{RequestId(0), M()};
  M& message = std::get<M>(out.message);
  if (reader.map("") != 2 + field_count(message)) return std::nullopt;
  fields.field("id", out.id);
  if (!fields.expect_key("type") || reader.text("") != kTypeName<M>) return std::nullopt;
  describe(fields, message);
  if (!reader.ok() || reader.left() > 0) return std::nullopt;
  return out;
}

template <class Variant>
std::string_view name_of(const Variant& message) {
  return std::visit([](const auto& m) { return kTypeName<std::remove_cvref_t<decltype(m)>>; }, message);
}

}  // namespace

Bytes encode(RequestId id, const msg::ClientRequest& request) {
  return encode_message(id, request);
}

Bytes encode(RequestId id, const msg::ClientReply& reply) {
  return encode_message(id, reply);
}

Result<Tagged<msg::ClientRequest>> decode_request(BytesView frame) {
  return decode_message<msg::ClientRequest>(frame, nullptr, limits::kMaxClientFrame, "request");
}

Result<Tagged<msg::ClientRequest>> take_request(Bytes& frame) {
  return decode_message<msg::ClientRequest>(frame, &frame, limits::kMaxClientFrame, "request");
}

Result<Tagged<msg::ClientReply>> decode_reply(BytesView frame) {
  if (frame.size() <= limits::kMaxReplyFrame) {
    if (auto list = read_in_order<msg::JobList>(frame)) return std::move(*list);
  }
  return decode_message<msg::ClientReply>(frame, nullptr, limits::kMaxReplyFrame, "reply");
}

RequestId request_id_of(BytesView frame) {
  WireReader reader(frame);
  const uint32_t members = reader.map("");
  for (uint32_t i = 0; i < members && reader.ok(); ++i) {
    const bool is_id = WireReader(reader.value("")).text("") == "id";
    if (!is_id) {
      (void)reader.value("");
      continue;
    }
    const uint64_t id = reader.uint("", UINT64_MAX);
    return reader.ok() ? RequestId(id) : RequestId(0);
  }
  return RequestId(0);
}

std::string_view type_name(const msg::ClientRequest& request) {
  return name_of(request);
}

std::string_view type_name(const msg::ClientReply& reply) {
  return name_of(reply);
}

}  // namespace hq
