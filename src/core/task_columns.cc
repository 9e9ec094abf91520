#include "hq/core/task_columns.h"

#include <algorithm>
#include <cstring>

namespace hq {

TaskChunk::TaskChunk(uint32_t rows) : rows_(rows), memory_(new std::byte[rows * kRowBytes]) {
  std::memset(memory_.get(), 0, rows * kRowBytes);
  std::fill_n(&start_ms(0), rows, kNeverStarted);
}

void TaskColumns::make(size_t chunk) {
  const uint64_t first = uint64_t{chunk} * TaskChunk::kRows;
  chunks_[chunk] =
      std::make_unique<TaskChunk>(uint32_t(std::min<uint64_t>(TaskChunk::kRows, tasks_ - first)));
}

}  // namespace hq
