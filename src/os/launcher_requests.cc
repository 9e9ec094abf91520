// The launcher's requests: from their arrival to the moment they may be spawned.
#include <algorithm>
#include <cerrno>

#include "os/launcher_process.h"

namespace hq {

namespace {

constexpr Duration kFirstRetry = 20ms;
constexpr unsigned kMostDoublings = 3;

std::string joined(const std::string& directory, const std::string& path) {
  if (path.starts_with('/') || directory.empty()) return path;
  return directory.ends_with('/') ? directory + path : directory + "/" + path;
}

}  // namespace

LaunchRecord* LauncherProcess::find(LaunchId id) {
  auto found = records_.find(id);
  return found == records_.end() ? nullptr : found->second.get();
}

void LauncherProcess::on_define(TemplateId id, LaunchTemplate base) {
  templates_[id] = std::make_shared<PreparedTemplate>(std::move(base), base_environment_);
}

void LauncherProcess::on_start(LaunchRequest request) {
  ProcessEvent refusal;
  refusal.id = request.id;
  if (fenced_) {
    refusal.kind = ProcessEvent::Kind::kDropped;
    return report(refusal, true);
  }
  auto base = templates_.find(request.base);
  if (base == templates_.end() || records_.contains(request.id)) {
    refusal.kind = ProcessEvent::Kind::kFailed;
    refusal.stage = LaunchStage::kLauncher;
    refusal.errnum = base == templates_.end() ? ENOENT : EEXIST;
    return report(refusal, true);
  }
  auto owned = std::make_unique<LaunchRecord>();
  LaunchRecord& record = *owned;
  record.base = base->second;
  record.request = std::move(request);
  const LaunchRequest& r = record.request;
  record.prepare.cwd = r.cwd;
  if (r.out.kind == OutputTarget::Kind::kFile) record.prepare.out = joined(r.cwd, r.out.path);
  if (r.err.kind == OutputTarget::Kind::kFile) record.prepare.err = joined(r.cwd, r.err.path);
  record.prepare.unlink_first = r.unlink_outputs_first;
  record.prepare.task_dir = r.task_dir;
  record.prepare.host_file_text = r.host_file_text;
  record.prepare.node_file_text = r.node_file_text;
  bool needs_files = !record.prepare.out.empty() || !record.prepare.err.empty() || !r.task_dir.empty();
  if (needs_files) record.files = LaunchRecord::Files::kNeeded;
  records_.emplace(r.id, std::move(owned));

  LaunchRecord* before = r.after.value == 0 ? nullptr : find(r.after);
  using State = LaunchRecord::State;
  if (before == nullptr || before->state == State::kCleaningUp || before->state == State::kAbandoned) {
    return take_turn(record);
  }
  before->successors.push_back(r.id);
  record.was_successor = true;
  record.predecessor = r.after;
  if (needs_files) {
    ahead_queue_.push_back(r.id);
    open_ahead();
  }
}

void LauncherProcess::open_ahead() {
  while (!ahead_queue_.empty() && ahead_used_ < most_ahead_ && slots_used_ < most_slots_) {
    LaunchRecord* record = find(ahead_queue_.front());
    ahead_queue_.pop_front();
    if (record == nullptr || record->its_turn || record->state != LaunchRecord::State::kQueued) continue;
    if (record->files == LaunchRecord::Files::kNeeded) start_files(*record, true);
  }
}

void LauncherProcess::take_turn(LaunchRecord& record) {
  record.its_turn = true;
  record.taken_up = now_;
  if (record.ahead) {
    record.ahead = false;
    --ahead_used_;
    open_ahead();
  }
  proceed(record);
}

// The next step of a request whose turn has come.
void LauncherProcess::proceed(LaunchRecord& record) {
  switch (record.files) {
    case LaunchRecord::Files::kNotNeeded:
    case LaunchRecord::Files::kReady:
      ready_.push_back(record.request.id);
      break;
    case LaunchRecord::Files::kNeeded:
      if (slots_used_ < most_slots_) {
        start_files(record, false);
      } else {
        slot_queue_.push_back(record.request.id);
      }
      break;
    case LaunchRecord::Files::kUnderWay:
      break;
    case LaunchRecord::Files::kFailed:
      fail(record, record.failed_stage, record.failed_errnum);
      break;
  }
}

void LauncherProcess::start_files(LaunchRecord& record, bool ahead) {
  // A file that is still to be deleted must be gone before it is opened anew.
  for (const std::string* path : {&record.prepare.out, &record.prepare.err}) {
    if (path->empty() || !removals_.contains(*path)) continue;
    held_[*path].push_back(record.request.id);
    return;
  }
  retries_.erase(record.request.id);
  record.files = LaunchRecord::Files::kUnderWay;
  record.holds_slot = true;
  record.ahead = ahead;
  ++slots_used_;
  if (ahead) ++ahead_used_;
  FileJob job;
  job.kind = FileJob::Kind::kPrepare;
  job.id = record.request.id;
  job.prepare = record.prepare;
  files_.submit(std::move(job));
  wake_watcher();
}

void LauncherProcess::release_slot(LaunchRecord& record) {
  record.out.reset();
  record.err.reset();
  if (!record.holds_slot) return;
  record.holds_slot = false;
  --slots_used_;
  if (record.ahead) --ahead_used_;
  record.ahead = false;
  while (!slot_queue_.empty() && slots_used_ < most_slots_) {
    LaunchRecord* next = find(slot_queue_.front());
    slot_queue_.pop_front();
    if (next == nullptr || next->state != LaunchRecord::State::kQueued) continue;
    if (next->files == LaunchRecord::Files::kNeeded) start_files(*next, false);
  }
  open_ahead();
}

void LauncherProcess::on_file_result(FileResult result) {
  if (!result.log.empty()) report_log(result.log);
  if (result.job.kind == FileJob::Kind::kPrepare) return on_prepared(std::move(result));
  if (result.job.kind == FileJob::Kind::kRemove) {
    const std::string& path = result.job.path;
    if (--removals_[path] > 0) return;
    removals_.erase(path);
    auto held = held_.extract(path);
    if (held.empty()) return;
    for (LaunchId id : held.mapped()) {
      LaunchRecord* record = find(id);
      if (record == nullptr || record->state != LaunchRecord::State::kQueued) continue;
      if (record->files == LaunchRecord::Files::kNeeded) start_files(*record, !record->its_turn);
    }
    return;
  }
  LaunchRecord* record = result.job.id.value == 0 ? nullptr : find(result.job.id);
  if (record == nullptr) return;
  record->exit.error_file = std::move(result.error_file);
  record->exit.error_file_present = result.error_file_present;
  record->exit.error_file_truncated = result.error_file_truncated;
  report(record->exit, true);
  erase(*record);
}

void LauncherProcess::on_prepared(FileResult result) {
  LaunchRecord* found = find(result.job.id);
  HQ_ASSERT(found != nullptr);  // a record stays while a file thread works for it
  LaunchRecord& record = *found;
  record.prepare.task_dir_made = result.job.prepare.task_dir_made;
  if (record.state == LaunchRecord::State::kAbandoned) {
    clean_up_unreported(record);
    return erase(record);
  }
  if (result.errnum == 0) {
    record.files = LaunchRecord::Files::kReady;
    record.out = std::move(result.out);
    record.err = std::move(result.err);
    if (record.its_turn) proceed(record);
    return;
  }
  if (result.again) {
    record.files = LaunchRecord::Files::kNeeded;
    retries_[record.request.id] = now_ + kFirstRetry * (1 << std::min(record.tries++, kMostDoublings));
    return release_slot(record);
  }
  record.files = LaunchRecord::Files::kFailed;
  record.failed_stage = result.stage;
  record.failed_errnum = result.errnum;
  release_slot(record);
  if (record.its_turn) proceed(record);
}

void LauncherProcess::retry_waiting(TimePoint now) {
  std::vector<LaunchId> due;
  for (const auto& [id, at] : retries_) {
    if (at <= now) due.push_back(id);
  }
  for (LaunchId id : due) {
    retries_.erase(id);
    LaunchRecord* record = find(id);
    if (record == nullptr || record->state != LaunchRecord::State::kQueued) continue;
    if (record->its_turn) {
      proceed(*record);
    } else {
      ahead_queue_.push_back(id);
      open_ahead();
    }
  }
}

void LauncherProcess::fail(LaunchRecord& record, LaunchStage stage, int errnum) {
  ProcessEvent event;
  event.kind = ProcessEvent::Kind::kFailed;
  event.id = record.request.id;
  event.stage = stage;
  event.errnum = errnum;
  event.waited = now_ - record.taken_up;
  report(event, true);
  release_successors(record);
  clean_up_unreported(record);
  erase(record);
}

void LauncherProcess::on_drop(LaunchId id) {
  LaunchRecord* record = find(id);
  // One that has started or ended has its report on the way.
  if (record != nullptr && record->state == LaunchRecord::State::kQueued) drop_queued(*record);
}

void LauncherProcess::drop_queued(LaunchRecord& record) {
  ProcessEvent event;
  event.kind = ProcessEvent::Kind::kDropped;
  event.id = record.request.id;
  report(event, true);
  // Its successors take its place: after the same predecessor, or now when its turn had come.
  LaunchRecord* before = record.its_turn ? nullptr : find(record.predecessor);
  if (before != nullptr) {
    std::erase(before->successors, record.request.id);
    for (LaunchId id : record.successors) {
      if (LaunchRecord* next = find(id)) next->predecessor = record.predecessor;
      before->successors.push_back(id);
    }
    record.successors.clear();
  } else {
    release_successors(record);
  }
  if (record.files == LaunchRecord::Files::kUnderWay) {
    record.state = LaunchRecord::State::kAbandoned;
    return;
  }
  clean_up_unreported(record);
  erase(record);
}

void LauncherProcess::drop_all_queued() {
  std::vector<LaunchId> queued;
  for (const auto& [id, record] : records_) {
    if (record->state == LaunchRecord::State::kQueued) queued.push_back(id);
  }
  std::sort(queued.begin(), queued.end());
  // From the last to the first, so that none is released by the one before it.
  for (auto id = queued.rbegin(); id != queued.rend(); ++id) {
    if (LaunchRecord* record = find(*id)) drop_queued(*record);
  }
}

void LauncherProcess::release_successors(LaunchRecord& record) {
  for (LaunchId id : std::exchange(record.successors, {})) {
    LaunchRecord* next = find(id);
    if (next != nullptr && next->state == LaunchRecord::State::kQueued) take_turn(*next);
  }
}

// For a request that was prepared but never ran.
void LauncherProcess::clean_up_unreported(const LaunchRecord& record) {
  if (!record.prepare.task_dir_made) return;
  FileJob job;
  job.kind = FileJob::Kind::kCleanUp;
  job.clean_up.task_dir = record.prepare.task_dir;
  files_.submit(std::move(job));
}

void LauncherProcess::erase(LaunchRecord& record) {
  LaunchId id = record.request.id;
  release_slot(record);
  stopping_.erase(id);
  retries_.erase(id);
  records_.erase(id);
}

void LauncherProcess::on_remove_file(std::string path) {
  ++removals_[path];
  FileJob job;
  job.kind = FileJob::Kind::kRemove;
  job.path = std::move(path);
  files_.submit(std::move(job));
  wake_watcher();
}

}  // namespace hq
