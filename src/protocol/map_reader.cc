#include "protocol/map_reader.h"

#include <charconv>
#include <cmath>
#include <cstring>

#include "hq/core/text/id_array_text.h"
#include "hq/protocol/limits.h"
#include "protocol/wire_reader.h"

namespace hq {

const msgpack::object* MapValue::find(std::string_view name, uint32_t& hint) const {
  const uint32_t count = object_->via.map.size;
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t at = hint + i < count ? hint + i : hint + i - count;
    const msgpack::object_kv& pair = object_->via.map.ptr[at];
    if (pair.key.type != msgpack::type::STR || text_of(pair.key) != name) continue;
    hint = at + 1 < count ? at + 1 : 0;
    return &pair.val;
  }
  return nullptr;
}

void MapValue::append_path(std::string& out) const {
  if (parent_ != nullptr) parent_->append_path(out);
  if (name_ == nullptr) {
    out += '[' + std::to_string(index_) + ']';
  } else {
    if (parent_ != nullptr) out += '.';
    out += name_;
  }
}

void MapValue::get_large_text(std::string& out) const {
  if (text().size() < failure_->large || failure_->takes_frame != nullptr) {
    out = text();
    return;
  }
  failure_->takes_frame = &out;
  failure_->left_in_frame = text();
}

void MapValue::fail(std::string_view problem) const {
  if (!ok()) return;
  append_path(failure_->text);
  failure_->text.append(": ").append(problem);
}

bool MapValue::expect_list() const {
  if (!is_list()) fail("expected a list");
  return is_list();
}

bool MapValue::expect_map() const {
  if (!is_map()) fail("expected a map");
  return is_map();
}

bool MapValue::expect_text() const {
  if (!is_text()) fail("expected a string");
  return is_text();
}

Result<MapTree> MapTree::of(BytesView bytes) {
  if (auto sound = check_structure(bytes, limits::kMaxValues); !sound) return std::move(sound.error());
  try {
    bool referenced = false;
    const auto refer_to_frame = [](msgpack::type::object_type, std::size_t, void*) { return true; };
    return MapTree(msgpack::unpack(bytes.data(), bytes.size(), referenced, refer_to_frame));
  } catch (const std::exception& e) {
    return Error(std::string("message: ") + e.what());
  }
}

// --- scalars ---------------------------------------------------------------------------------------------

void get_unsigned(const MapValue& v, uint64_t max, uint64_t& out) {
  if (!v.is_uint() || v.uint() > max) return v.fail("expected an integer from 0 to " + std::to_string(max));
  out = v.uint();
}

void get_signed(const MapValue& v, int64_t min, int64_t max, int64_t& out) {
  int64_t value = 0;
  bool fits = false;
  if (v.is_uint()) {
    fits = v.uint() <= uint64_t(max);
    value = int64_t(v.uint());
  } else if (v.object().type == msgpack::type::NEGATIVE_INTEGER) {
    value = v.object().via.i64;
    fits = value >= min;
  }
  if (!fits) return v.fail("expected an integer from " + std::to_string(min) + " to " + std::to_string(max));
  out = value;
}

void get_enum(const MapValue& v, const std::string_view* names, size_t count, size_t& out) {
  if (v.is_text()) {
    const std::string_view* found = std::find(names, names + count, v.text());
    if (found != names + count) {
      out = size_t(found - names);
      return;
    }
  }
  std::string problem = "expected one of";
  for (size_t i = 0; i < count; ++i) problem.append(i == 0 ? " '" : ", '").append(names[i]).append("'");
  v.fail(problem);
}

void get(const MapValue& v, bool& out) {
  if (v.object().type != msgpack::type::BOOLEAN) return v.fail("expected true or false");
  out = v.object().via.boolean;
}

void get(const MapValue& v, double& out) {
  if (v.is_uint()) {
    out = double(v.uint());
  } else if (v.is_float() && std::isfinite(v.floating())) {
    out = v.floating();
  } else {
    v.fail("expected a number");
  }
}

void get(const MapValue& v, std::string& out) {
  if (v.expect_text()) out = v.text();
}

namespace {

// "12", "12.5": at most four decimals.
std::optional<uint64_t> parse_scaled(std::string_view text) {
  const size_t dot = std::min(text.find('.'), text.size());
  const std::string_view decimals = text.substr(std::min(dot + 1, text.size()));
  if (dot == 0 || decimals.size() > 4 || (dot + 1 == text.size())) return std::nullopt;
  std::string digits = std::string(text.substr(0, dot)) + std::string(decimals);
  digits.append(4 - decimals.size(), '0');
  uint64_t scaled = 0;
  const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), scaled);
  if (failed != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return scaled;
}

std::optional<uint64_t> scaled_amount(const MapValue& v) {
  if (v.is_uint() && v.uint() <= UINT64_MAX / Amount::kScale) return v.uint() * Amount::kScale;
  if (v.is_text()) return parse_scaled(v.text());
  if (!v.is_float()) return std::nullopt;
  const double scaled = std::round(v.floating() * double(Amount::kScale));
  if (!(scaled >= 0 && scaled < kExactAmount)) return std::nullopt;
  return uint64_t(scaled);
}

}  // namespace

void get(const MapValue& v, Amount& out) {
  if (const auto scaled = scaled_amount(v)) {
    out = Amount::from_scaled(*scaled);
  } else {
    v.fail("expected a number of units, 0 or more");
  }
}

void get(const MapValue& v, Duration& out) {
  constexpr double kForever = 9.2e9;  // seconds; beyond that 64 bits of nanoseconds end
  constexpr double kCoarse = 1e6;     // from here on a double can't hold nanoseconds: whole milliseconds
  double seconds = -1;
  if (v.is_uint()) seconds = double(v.uint());
  if (v.is_float()) seconds = v.floating();
  if (!(seconds >= 0)) return v.fail("expected a number of seconds, 0 or more");
  if (seconds >= kForever) {
    out = Duration::max();
  } else if (seconds >= kCoarse) {
    out = std::chrono::milliseconds(std::llround(seconds * 1e3));
  } else {
    out = Duration(std::llround(seconds * 1e9));
  }
}

void get(const MapValue& v, WallTime& out) {
  get(v, out.ns);
}

void get(const MapValue& v, CrashLimit& out) {
  constexpr uint64_t kMost = 65'535;
  if (v.is_uint() && v.uint() >= 1 && v.uint() <= kMost) {
    out.value = uint32_t(v.uint());
  } else if (v.is_text() && v.text() == "never-restart") {
    out.value = CrashLimit::kNeverRestart;
  } else if (v.is_text() && v.text() == "unlimited") {
    out.value = CrashLimit::kUnlimited;
  } else {
    v.fail("expected an integer from 1 to 65535, 'never-restart' or 'unlimited'");
  }
}

// --- ids -------------------------------------------------------------------------------------------------

namespace {

// n, [first, bound] or [first, bound, step].
void get_part(const MapValue& v, IdArray::Part& out) {
  if (v.is_uint()) {
    get(v, out.range.first);
    out = {{out.range.first, out.range.first, 1}, out.range.first};
    return;
  }
  if (!v.is_list() || v.size() < 2 || v.size() > 3) return v.fail("expected an id or [first, last, step]");
  IdRange range;
  get(v.item(0), range.first);
  get(v.item(1), out.bound);
  if (v.size() == 3) get(v.item(2), range.step);
  if (!v.ok()) return;
  if (range.first > out.bound || range.step == 0) return v.fail("not a range");
  range.last = out.bound - (out.bound - range.first) % range.step;
  if (range.first == range.last) {
    range.step = 1;
    out.bound = range.first;
  }
  out.range = range;
}

// Each stepped range is compared with each other one, so there is a limit to them.
void get_id_text(const MapValue& v, IdArray& out) {
  const std::string_view text = v.text();
  if (std::count(text.begin(), text.end(), ':') > limits::kMaxSteppedRanges)
    return v.fail("too many stepped ranges");
  Result<IdArray> parsed = parse_id_array(text);
  if (!parsed) return v.fail(parsed.error().full_text());
  out = std::move(*parsed);
}

}  // namespace

void get(const MapValue& v, IdArray& out) {
  out.parts.clear();
  if (v.is_uint()) return get_part(v, out.parts.emplace_back());
  if (v.is_text()) return get_id_text(v, out);
  if (!v.is_list()) return v.fail("expected ids: a number, a list or a text");
  for (size_t i = 0; i < v.size() && v.ok(); ++i) get_part(v.item(i), out.parts.emplace_back());
  const auto is_stepped = [](const IdArray::Part& part) { return part.range.step > 1; };
  if (std::count_if(out.parts.begin(), out.parts.end(), is_stepped) > limits::kMaxSteppedRanges)
    return v.fail("too many stepped ranges");
  if (v.ok() && has_overlap(out)) v.fail("ranges overlap");
}

void get(const MapValue& v, msg::Selection& out) {
  out.ids.parts.clear();
  if (v.is_text() && v.text() == "last") {
    out.kind = msg::Selection::Kind::kLast;
  } else if (v.is_text() && v.text() == "all") {
    out.kind = msg::Selection::Kind::kAll;
  } else {
    out.kind = msg::Selection::Kind::kIds;
    get(v, out.ids);
  }
}

// --- tasks -----------------------------------------------------------------------------------------------

void get(const MapValue& v, StdioSpec& out) {
  if (v.is_nil()) {
    out = {StdioSpec::Kind::kNull, "", false};
  } else if (v.is_text()) {
    out = {StdioSpec::Kind::kFile, std::string(v.text()), false};
  } else if (v.is_map()) {
    FieldReader fields(v);
    fields.field("kind", out.kind);
    fields.field("path", out.path);
    fields.field("remove_if_finished", out.remove_if_finished);
    if (out.kind != StdioSpec::Kind::kFile && !v.has("path")) out.path.clear();
  } else {
    v.fail("expected a path, nil or a map");
  }
}

namespace {

// A list of strings, in one pass for the size, so that the blob is allocated once.
void get_entry_list(const MapValue& v, Entries& out) {
  uint64_t size = 0;
  for (size_t i = 0; i < v.size(); ++i) {
    const MapValue item = v.item(i);
    if (!item.expect_text()) return;
    size += item.text().size();
  }
  if (size > UINT32_MAX) return v.fail("more than 4 GiB");
  out.blob.reserve(size);
  out.ends.reserve(v.size());
  for (size_t i = 0; i < v.size(); ++i) out.add(v.item(i).text());
}

void get_entry_blob(const MapValue& v, Entries& out) {
  std::string_view blob;
  std::string_view ends;
  uint32_t hint = 0;
  for (const char* name : {"blob", "ends"}) {
    const msgpack::object* found = v.find(name, hint);
    if (found == nullptr) return v.fail("needs 'blob' and 'ends'");
    const MapValue member = v.member(name, *found);
    if (!member.expect_text()) return;
    if (name[0] == 'b') {
      blob = member.text();
      member.get_large_text(out.blob);
    } else {
      ends = member.text();
    }
  }
  if (ends.size() % sizeof(uint32_t) != 0) return v.fail("'ends' are not 32 bit numbers");
  out.ends.resize(ends.size() / sizeof(uint32_t));
  if (!ends.empty()) std::memcpy(out.ends.data(), ends.data(), ends.size());
  const bool covers = out.ends.empty() ? blob.empty() : out.ends.back() == blob.size();
  if (!covers || !std::is_sorted(out.ends.begin(), out.ends.end()))
    v.fail("'ends' do not ascend to the size of 'blob'");
}

}  // namespace

void get(const MapValue& v, Entries& out) {
  out = Entries();
  if (v.is_list()) {
    get_entry_list(v, out);
  } else if (v.is_map()) {
    get_entry_blob(v, out);
  } else {
    v.fail("expected a list of strings");
  }
  if (!v.ok()) out = Entries();
}

void get(const MapValue& v, std::vector<std::pair<std::string, std::string>>& env) {
  env.clear();
  if (!v.expect_map()) return;
  env.reserve(v.size());
  for (size_t i = 0; i < v.size(); ++i) {
    const msgpack::object_kv& pair = v.pairs()[i];
    const MapValue name(v.member("(name)", pair.key));
    const MapValue value(v.member("(value)", pair.val));
    if (!name.expect_text() || !value.expect_text()) return;
    env.emplace_back(name.text(), value.text());
  }
  const auto by_name = [](const auto& a, const auto& b) { return a.first < b.first; };
  std::stable_sort(env.begin(), env.end(), by_name);
  const auto same_name = [](const auto& a, const auto& b) { return a.first == b.first; };
  if (std::adjacent_find(env.begin(), env.end(), same_name) != env.end()) v.fail("a variable is named twice");
}

// --- workers and jobs --------------------------------------------------------------------------------------

void get(const MapValue& v, ResourceKind& out) {
  if (!v.is_map() || v.size() != 1)
    return v.fail("expected a map of one of 'list', 'groups', 'range', 'sum'");
  FieldReader fields(v);
  if (v.has("list")) {
    fields.field("list", out.emplace<ResourceList>().labels);
  } else if (v.has("groups")) {
    fields.field("groups", out.emplace<ResourceGroups>().groups);
  } else if (v.has("sum")) {
    fields.field("sum", out.emplace<ResourceSum>().size);
  } else if (v.has("range")) {
    const MapValue range = v.member("range", v.pairs()[0].val);
    if (!range.is_list() || range.size() != 2) return range.fail("expected [first, last]");
    auto& span = out.emplace<ResourceSpan>();
    get(range.item(0), span.first);
    get(range.item(1), span.last);
    if (span.first > span.last) range.fail("not a range");
  } else {
    v.fail("expected a map of one of 'list', 'groups', 'range', 'sum'");
  }
}

void get(const MapValue& v, std::vector<std::pair<WorkerId, std::string>>& hosts) {
  hosts.clear();
  if (!v.expect_list()) return;
  for (size_t i = 0; i < v.size() && v.ok(); ++i) {
    const MapValue item = v.item(i);
    if (!item.is_list() || item.size() != 2) return item.fail("expected [worker, host]");
    auto& [worker, host] = hosts.emplace_back();
    get(item.item(0), worker);
    get(item.item(1), host);
  }
}

void get(const MapValue& v, std::array<uint64_t, kTaskStates>& counts) {
  counts.fill(0);
  if (!v.expect_map()) return;
  FieldReader fields(v);
  for (size_t i = 0; i < counts.size(); ++i) fields.field(kEnumNames<TaskState>[i].data(), counts[i]);
}

}  // namespace hq
