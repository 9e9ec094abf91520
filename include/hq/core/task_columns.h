// What became of tasks, in columns: 30 bytes per task that has ever left waiting, nothing for the others.
// Outcomes come in any order (every other task may fail), so no set of ranges would hold them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "hq/core/failure.h"
#include "hq/core/ids.h"
#include "hq/core/task.h"

namespace hq {

// The state of a row; the first five are active. kHeld, kBacklog and kSlot show as waiting.
enum class RowState : uint8_t {
  kWaiting,
  kHeld,  // lost with a worker on which it may still run (WorkerFenced ends that)
  kBacklog,
  kSlot,
  kRunning,
  kFinished,
  kFailed,
  kCanceled,
  kAborted
};

[[nodiscard]] constexpr bool is_assigned(RowState s) {
  return s == RowState::kBacklog || s == RowState::kSlot || s == RowState::kRunning;
}
[[nodiscard]] constexpr TaskState task_state(RowState s) {
  switch (s) {
    case RowState::kRunning:
      return TaskState::kRunning;
    case RowState::kFinished:
      return TaskState::kFinished;
    case RowState::kFailed:
      return TaskState::kFailed;
    case RowState::kCanceled:
      return TaskState::kCanceled;
    case RowState::kAborted:
      return TaskState::kAborted;
    default:
      return TaskState::kWaiting;
  }
}

// Columns of up to 4,096 tasks, by position.
class TaskChunk {
 public:
  static constexpr uint32_t kRows = 4096;
  static constexpr uint32_t kNeverStarted = 0xffff'ffff;
  static constexpr uint16_t kBigInstance = 0xffff;  // the real one is in the group's side map

  explicit TaskChunk(uint32_t rows);

  // Column accessors; i < rows(). The 4-byte columns come first, so all are aligned.
  uint32_t& worker(uint32_t i) { return column<uint32_t>(0)[i]; }
  uint32_t& start_ms(uint32_t i) {
    return column<uint32_t>(4)[i];
  }  // since the job's submission; kNeverStarted
  float& ran(uint32_t i) { return column<float>(8)[i]; }
  float& user(uint32_t i) { return column<float>(12)[i]; }
  float& system(uint32_t i) { return column<float>(16)[i]; }
  uint32_t& peak_kib(uint32_t i) { return column<uint32_t>(20)[i]; }
  int16_t& code(uint32_t i) { return column<int16_t>(24)[i]; }
  uint16_t& instance(uint32_t i) { return column<uint16_t>(26)[i]; }
  RowState& state(uint32_t i) { return column<RowState>(28)[i]; }
  [[nodiscard]] uint8_t variant(uint32_t i) const { return packed(i) & 0x1f; }
  void set_variant(uint32_t i, uint8_t v) { packed(i) = uint8_t((packed(i) & 0xe0) | (v & 0x1f)); }
  [[nodiscard]] FailureKind failure_kind(uint32_t i) const { return FailureKind(packed(i) >> 5); }
  void set_failure_kind(uint32_t i, FailureKind k) {
    packed(i) = uint8_t((packed(i) & 0x1f) | (uint8_t(k) << 5));
  }
  [[nodiscard]] uint32_t rows() const { return rows_; }

 private:
  static constexpr size_t kRowBytes = 30;
  // The column that begins after `before` bytes of each row.
  template <class T>
  [[nodiscard]] T* column(size_t before) const {
    return reinterpret_cast<T*>(memory_.get() + before * rows_);
  }
  // Variant (5 bits), failure kind (3 bits).
  [[nodiscard]] uint8_t& packed(uint32_t i) const { return column<uint8_t>(29)[i]; }

  uint32_t rows_;
  std::unique_ptr<std::byte[]> memory_;
};

// All rows of one submit, by position; chunks come into being at the first touch. The first one has a place
// of its own: most submits have no other.
class TaskColumns {
 public:
  explicit TaskColumns(uint64_t tasks);
  // The chunk of a position, made if missing.
  TaskChunk& at(uint64_t position) {
    std::unique_ptr<TaskChunk>& chunk = place_of(position / TaskChunk::kRows);
    if (!chunk) chunk = make(position / TaskChunk::kRows);
    return *chunk;
  }
  // nullptr if nothing there has ever left waiting.
  [[nodiscard]] TaskChunk* find(uint64_t position) const { return chunk(position / TaskChunk::kRows); }
  [[nodiscard]] static uint32_t row(uint64_t position) { return uint32_t(position % TaskChunk::kRows); }
  [[nodiscard]] RowState state(uint64_t position) const {
    TaskChunk* chunk = find(position);
    return chunk == nullptr ? RowState::kWaiting : chunk->state(row(position));
  }
  [[nodiscard]] uint64_t tasks() const { return tasks_; }
  [[nodiscard]] size_t chunk_count() const { return (tasks_ + TaskChunk::kRows - 1) / TaskChunk::kRows; }
  [[nodiscard]] TaskChunk* chunk(size_t i) const { return i == 0 ? first_.get() : more_[i - 1].get(); }

 private:
  std::unique_ptr<TaskChunk>& place_of(size_t i) { return i == 0 ? first_ : more_[i - 1]; }
  [[nodiscard]] std::unique_ptr<TaskChunk> make(size_t i) const;
  uint64_t tasks_;
  std::unique_ptr<TaskChunk> first_;
  std::unique_ptr<std::unique_ptr<TaskChunk>[]> more_;
};

}  // namespace hq
