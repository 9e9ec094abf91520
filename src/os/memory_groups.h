// Groups of processes in which the kernel itself holds a limit of memory (cgroup v2), for tasks with one.
// They can be made where the part of the tree that this worker lives in was handed over to its user
// ("delegated", as by `systemd-run --user --scope -p Delegate=yes`) and nobody else lives there: a group with
// processes of its own can't hold limited groups.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "hq/base/result.h"
#include "hq/base/unique_fd.h"

namespace hq {

class MemoryGroups {
 public:
  // `dir`: where groups are made, as divide_own_group() gave it; empty = they can't be made.
  explicit MemoryGroups(std::string dir) : dir_(std::move(dir)) {}

  [[nodiscard]] bool usable() const { return !dir_.empty(); }
  // A group for one task; who writes "0" to the descriptor enters it. All its processes together may use
  // `limit` bytes, without swap; at more the kernel kills all of them. Errors: as of the group's files.
  [[nodiscard]] Result<UniqueFd> make(uint64_t number, uint64_t limit);
  // Bytes in use when the kernel had to kill, 0 if it had not.
  [[nodiscard]] uint64_t exceeded(uint64_t number, uint64_t limit) const;
  // Once its last process has ended; those that a task left running keep their group until then.
  void remove(uint64_t number);

 private:
  [[nodiscard]] std::string path_of(uint64_t number) const;

  std::string dir_;
  std::vector<uint64_t> kept_;  // to be removed when empty
};

// Gives this process, and the children that it makes from then on, a group of their own below the one that
// they are in, and makes limited groups possible beside it. Returns the directory to make them in; the empty
// text, and nothing is changed, where that is not ours to do. `root`: "" or that of a copy for tests.
[[nodiscard]] std::string divide_own_group(const std::string& root);

}  // namespace hq
