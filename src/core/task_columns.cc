#include "hq/core/task_columns.h"

#include <algorithm>
#include <cstring>

namespace hq {

TaskChunk::TaskChunk(uint32_t rows) : rows_(rows), memory_(new std::byte[rows * kRowBytes]) {
  std::memset(memory_.get(), 0, rows * kRowBytes);
  std::fill_n(&start_ms(0), rows, kNeverStarted);
}

TaskColumns::TaskColumns(uint64_t tasks) : tasks_(tasks) {
  if (chunk_count() > 1) more_ = std::make_unique<std::unique_ptr<TaskChunk>[]>(chunk_count() - 1);
}

std::unique_ptr<TaskChunk> TaskColumns::make(size_t i) const {
  const uint64_t before = uint64_t{i} * TaskChunk::kRows;
  return std::make_unique<TaskChunk>(uint32_t(std::min<uint64_t>(TaskChunk::kRows, tasks_ - before)));
}

}  // namespace hq
