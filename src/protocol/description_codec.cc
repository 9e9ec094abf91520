#include "hq/protocol/description_codec.h"

#include "protocol/describe_core.h"
#include "protocol/map_reader.h"
#include "protocol/map_writer.h"

namespace hq {

namespace {

template <class T>
Result<T> decode_value(BytesView bytes, const char* name) {
  T out;
  if (auto read = read_value(bytes, name, out); !read) return std::move(read.error());
  return out;
}

}  // namespace

Bytes encode_submit(const SubmitDescription& submit) {
  constexpr size_t kRest = 512;
  WireWriter w(submit.entries ? kRest + submit.entries->bytes() : kRest);
  put(w, submit);
  return w.take();
}

Result<SubmitDescription> decode_submit(BytesView bytes) {
  return decode_value<SubmitDescription>(bytes, "submit");
}

Bytes encode_overview(const HardwareOverview& overview) {
  WireWriter w(512);
  put(w, overview);
  return w.take();
}

Result<HardwareOverview> decode_overview(BytesView bytes) {
  return decode_value<HardwareOverview>(bytes, "overview");
}

Bytes encode_alloc_params(const AllocParams& params) {
  WireWriter w(512);
  put(w, params);
  return w.take();
}

Result<AllocParams> decode_alloc_params(BytesView bytes) {
  return decode_value<AllocParams>(bytes, "params");
}

Bytes encode_worker_config(const WorkerConfig& config) {
  WireWriter w(512);
  put(w, config);
  return w.take();
}

Result<WorkerConfig> decode_worker_config(BytesView bytes) {
  return decode_value<WorkerConfig>(bytes, "worker");
}

}  // namespace hq
