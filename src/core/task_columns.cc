#include "hq/core/task_columns.h"

#include <algorithm>
#include <cstring>

namespace hq {

TaskChunk::TaskChunk(uint32_t rows) : rows_(rows), memory_(new std::byte[size_t{rows} * 30]) {
  std::byte* at = memory_.get();
  auto column = [&]<class T>(T*& pointer) {
    pointer = reinterpret_cast<T*>(at);
    at += sizeof(T) * rows;
  };
  std::memset(at, 0, size_t{rows} * 30);
  column(workers_);  // 4-byte columns first: all stay aligned
  column(starts_);
  column(ran_);
  column(user_);
  column(system_);
  column(peaks_);
  column(codes_);
  column(instances_);
  column(states_);
  column(packed_);
  std::fill_n(starts_, rows, kNeverStarted);
}

void TaskColumns::make(size_t chunk) {
  const uint64_t first = uint64_t{chunk} * TaskChunk::kRows;
  chunks_[chunk] =
      std::make_unique<TaskChunk>(uint32_t(std::min<uint64_t>(TaskChunk::kRows, tasks_ - first)));
}

}  // namespace hq
