// `qstat -f ID -F json`: {"Jobs": {ID: {"Resource_List": {"walltime": ...}, "resources_used": {...}, ...}}}.
#include <fmt/format.h>

#include <set>

#include "hq/base/text_parts.h"
#include "hq/os/json_scan.h"
#include "hq/os/manager.h"

namespace hq {
namespace {

using Leaves = std::vector<JsonLeaf>;

// The scalar at Jobs / job / keys.
const std::string* find(const Leaves& leaves, std::string_view job, const std::vector<std::string>& keys) {
  for (const JsonLeaf& leaf : leaves) {
    if (leaf.path.size() == keys.size() + 2 && leaf.path[0] == "Jobs" && leaf.path[1] == job &&
        std::equal(keys.begin(), keys.end(), leaf.path.begin() + 2)) {
      return &leaf.text;
    }
  }
  return nullptr;
}

// The name of the job in the answer: the server behind the number may be written in another form than in
// `id`, but only one job was asked for.
std::optional<std::string> job_name(const Leaves& leaves, std::string_view id) {
  std::set<std::string> names;
  for (const JsonLeaf& leaf : leaves) {
    if (leaf.path.size() > 2 && leaf.path[0] == "Jobs") names.insert(leaf.path[1]);
  }
  if (names.contains(std::string(id))) return std::string(id);
  return names.size() == 1 ? std::optional(*names.begin()) : std::nullopt;
}

// "1048576kb", "2gb", "100" (bytes).
std::optional<uint64_t> parse_size(std::string_view text) {
  const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto number = parse_number<uint64_t>(text.substr(0, digits));
  const std::string_view unit = text.substr(digits);
  constexpr std::string_view kPrefixes = "kmgtp";
  uint32_t shift = 0;
  if (!unit.empty() && unit != "b") {
    const size_t at = kPrefixes.find(unit[0]);
    if (at == std::string_view::npos || (unit.size() > 1 && unit.substr(1) != "b")) return std::nullopt;
    shift = static_cast<uint32_t>(10 * (at + 1));
  }
  if (!number || *number > UINT64_MAX >> shift) return std::nullopt;
  return *number << shift;
}

bool same_host(std::string_view a, std::string_view b) {
  return a.substr(0, a.find('.')) == b.substr(0, b.find('.'));
}

// Adds up the chunks on `host`. exec_host "pbs/1+n3/0*2" and exec_vnode "(pbs:ncpus=1:mem=5kb)+(n3:ncpus=2)"
// have one entry per chunk, in the same order; the first names hosts, the second amounts (of one or more
// vnodes joined by '+').
void add_host_share(std::string_view exec_host, std::string_view exec_vnode, std::string_view host,
                    AllocationFacts& facts) {
  const std::vector<std::string_view> hosts = split(exec_host, '+');
  std::vector<std::string_view> chunks = split(exec_vnode, '(');
  chunks.erase(chunks.begin());
  if (hosts.size() != chunks.size()) return;
  uint64_t cpus = 0;
  uint64_t memory = 0;
  bool memory_known = true;
  for (size_t i = 0; i < hosts.size(); ++i) {
    if (!same_host(hosts[i].substr(0, hosts[i].find('/')), host)) continue;
    bool chunk_has_memory = false;
    for (const std::string_view vnode : split(chunks[i].substr(0, chunks[i].find(')')), '+')) {
      for (const std::string_view part : split(vnode, ':')) {
        if (part.starts_with("ncpus=")) cpus += parse_number<uint32_t>(part.substr(6)).value_or(0);
        if (!part.starts_with("mem=")) continue;
        const auto size = parse_size(part.substr(4));
        chunk_has_memory = chunk_has_memory || size.has_value();
        memory += size.value_or(0);
      }
    }
    memory_known = memory_known && chunk_has_memory;
  }
  if (cpus > 0 && cpus <= UINT32_MAX) facts.host_cpus = static_cast<uint32_t>(cpus);
  if (memory_known && memory > 0) facts.host_memory_bytes = memory;
}

}  // namespace

Result<AllocationFacts> parse_qstat_job(std::string_view text, std::string_view id, std::string_view host) {
  const std::optional<Leaves> leaves = scan_json(text);
  if (!leaves) return Error(fmt::format("`qstat -f {} -F json` gives no valid JSON", id));
  const std::optional<std::string> job = job_name(*leaves, id);
  if (!job) return Error(fmt::format("`qstat -f {} -F json` gives no such job", id));

  AllocationFacts facts;
  const std::string* exec_host = find(*leaves, *job, {"exec_host"});
  const std::string* exec_vnode = find(*leaves, *job, {"exec_vnode"});
  if (exec_host != nullptr && exec_vnode != nullptr) add_host_share(*exec_host, *exec_vnode, host, facts);

  const std::string* limit_text = find(*leaves, *job, {"Resource_List", "walltime"});
  if (limit_text == nullptr) return facts;
  const std::optional<Duration> limit = parse_clock(*limit_text);
  if (!limit) return Error(fmt::format("`qstat -f {} -F json` gives no readable walltime", id));
  const std::string* used_text = find(*leaves, *job, {"resources_used", "walltime"});
  const std::optional<Duration> used = parse_clock(used_text == nullptr ? "0" : *used_text);
  if (!used) return Error(fmt::format("`qstat -f {} -F json` gives no readable used walltime", id));
  facts.remaining = std::max(*limit - *used, Duration(0));
  return facts;
}

}  // namespace hq
