#include "server/task_rows.h"

#include <algorithm>

#include "hq/protocol/limits.h"

namespace hq {

TaskRows::TaskRows(const Job& job, std::optional<IdArray> ids, std::vector<TaskState> states, bool texts)
    : ids_(std::move(ids)), states_(std::move(states)), texts_(texts) {
  for (size_t g = 0; g < job.groups.size(); ++g) {
    if (job.groups[g]->task_count() > 0) order_.push_back(g);
  }
  std::sort(order_.begin(), order_.end(),
            [&](size_t a, size_t b) { return job.groups[a]->lowest_id() < job.groups[b]->lowest_id(); });
  for (size_t i = 0; i < order_.size(); ++i) {
    const TaskGroup& group = *job.groups[order_[i]];
    if (group.interleaved()) sorted_ = false;
    if (i > 0 && job.groups[order_[i - 1]]->highest_id() > group.lowest_id()) sorted_ = false;
  }
  if (sorted_) return;
  for (size_t g : order_) {
    for (uint64_t p = 0; p < job.groups[g]->task_count(); ++p) {
      all_.push_back({job.groups[g]->id_at(p).value, {g, p}});
    }
  }
  std::sort(all_.begin(), all_.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
}

bool TaskRows::wants(TaskState s) const {
  return states_.empty() || std::find(states_.begin(), states_.end(), s) != states_.end();
}

bool TaskRows::at_end(const Job&) const {
  return next_ == (sorted_ ? order_.size() : all_.size());
}

msg::TaskRow TaskRows::row_of(const Job& job, const TaskGroup& group, uint64_t position) const {
  msg::TaskRow out;
  const TaskId id = group.id_at(position);
  out.ids = {id.value, id.value, 1};
  out.state = group.state(position);
  out.submit = group.key().group;
  TaskChunk* chunk = group.columns.find(position);
  if (chunk == nullptr) return out;
  const uint32_t row = TaskColumns::row(position);
  out.instance = group.instance(position);
  out.variant = chunk->variant(row);
  out.started = chunk->start_ms(row) != TaskChunk::kNeverStarted && out.state != TaskState::kWaiting;
  if (out.started) {
    out.start = job.submitted + Duration(int64_t{chunk->start_ms(row)} * 1'000'000);
    out.workers = {WorkerId(chunk->worker(row))};
    if (job.gangs.contains(id)) out.workers = job.gangs.at(id);
  }
  // Tasks that were ended from outside have run as well, but nobody says what they used.
  if (out.started && (out.state == TaskState::kCanceled || out.state == TaskState::kAborted)) {
    out.end = out.start + Duration(int64_t(double{chunk->ran(row)} * 1e9));
  }
  if (out.state == TaskState::kFinished || out.state == TaskState::kFailed) {
    // Without a start, the column says when it failed, counted from the job's submission.
    out.end = (out.started ? out.start : job.submitted) + Duration(int64_t(double{chunk->ran(row)} * 1e9));
    // Starts are kept in whole milliseconds; no task ends after its job for that.
    if (job.active() == 0 && job.finished) out.end = std::min(*out.end, *job.finished);
    out.exit_code = chunk->code(row);
    if (out.started) {
      out.usage = TaskUsage{chunk->ran(row), chunk->user(row), chunk->system(row), chunk->peak_kib(row)};
    }
  }
  if (out.state == TaskState::kFailed) {
    out.failure = job.failure_of(id, {const_cast<TaskGroup*>(&group), position});
    if (!texts_) out.failure->text.clear();
  }
  return out;
}

uint64_t TaskRows::take_at(const Job& job, size_t g, uint64_t position, uint64_t limit,
                           std::vector<msg::TaskRow>& out) {
  const TaskGroup& group = *job.groups[g];
  if (group.columns.find(position) == nullptr) {
    // Nothing in this chunk has ever left waiting: one row for the stretch of ids up to its end.
    const IdRange run = group.run_from(position);
    const uint64_t chunk_end = (position / TaskChunk::kRows + 1) * TaskChunk::kRows;
    const uint64_t n = std::min({run.count(), chunk_end - position, limit});
    if (!wants(group.rest)) return n;
    IdRange ids{run.first, uint32_t(run.first + (n - 1) * run.step), n == 1 ? 1 : run.step};
    if (!ids_) {
      msg::TaskRow row;
      row.ids = ids;
      row.state = group.rest;
      row.submit = group.key().group;
      out.push_back(std::move(row));
      return n;
    }
    for (uint64_t id = ids.first; id <= ids.last; id += ids.step) {
      if (!ids_->contains(uint32_t(id))) continue;
      msg::TaskRow row;
      row.ids = {uint32_t(id), uint32_t(id), 1};
      row.state = group.rest;
      row.submit = group.key().group;
      out.push_back(std::move(row));
    }
    return n;
  }
  if (wants(group.state(position)) && (!ids_ || ids_->contains(group.id_at(position).value))) {
    out.push_back(row_of(job, group, position));
  }
  return 1;
}

std::vector<msg::TaskRow> TaskRows::take(const Job& job, size_t rows) {
  std::vector<msg::TaskRow> out;
  size_t text_bytes = 0;
  size_t counted = 0;  // rows of `out`
  while (out.size() < rows && text_bytes < limits::kTextBytesPerPage && !at_end(job)) {
    for (; counted < out.size(); ++counted) {
      if (out[counted].failure) text_bytes += out[counted].failure->text.size();
    }
    if (!sorted_) {
      const Cursor cursor = all_[next_++].second;
      take_at(job, cursor.group, cursor.position, 1, out);
      continue;
    }
    const TaskGroup& group = *job.groups[order_[next_]];
    position_ += take_at(job, order_[next_], position_, group.task_count() - position_, out);
    if (position_ == group.task_count()) {
      ++next_;
      position_ = 0;
    }
  }
  return out;
}

}  // namespace hq
