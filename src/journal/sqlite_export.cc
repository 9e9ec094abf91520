#include "hq/journal/sqlite_export.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <concepts>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "hq/base/unique_fd.h"
#include "hq/core/text/failure_text.h"

namespace hq {

namespace {

constexpr const char* kSchema = R"(
CREATE TABLE jobs (
  id INTEGER PRIMARY KEY, name TEXT, open INTEGER, tasks INTEGER, waiting INTEGER, running INTEGER,
  finished INTEGER, failed INTEGER, canceled INTEGER, aborted INTEGER,
  submitted REAL, ended REAL, cancel_reason TEXT);
CREATE TABLE tasks (
  job INTEGER, id INTEGER, state TEXT, instance INTEGER, worker INTEGER, started REAL, ended REAL,
  user_seconds REAL, system_seconds REAL, peak_kib INTEGER, error TEXT, PRIMARY KEY (job, id)) WITHOUT ROWID;
CREATE TABLE workers (
  id INTEGER PRIMARY KEY, hostname TEXT, worker_group TEXT, manager TEXT, manager_job TEXT,
  connected REAL, ended REAL, lost TEXT);
CREATE TABLE allocations (id TEXT PRIMARY KEY, manager TEXT, workers INTEGER, first_connected REAL, last_ended REAL);
CREATE TABLE allocation_queue (
  id INTEGER PRIMARY KEY, name TEXT, manager TEXT, state TEXT, backlog INTEGER, max_workers_per_alloc INTEGER,
  max_worker_count INTEGER, time_limit_seconds REAL, additional_args TEXT, failed_submissions INTEGER,
  failed_allocations INTEGER, last_failure TEXT);
CREATE TABLE allocation (
  queue INTEGER, number INTEGER, id TEXT, state TEXT, workers INTEGER, directory TEXT, queued REAL,
  started REAL, ended REAL, cause TEXT, PRIMARY KEY (queue, number)) WITHOUT ROWID;
)";

double seconds(WallTime time) {
  return double(time.ns) * 1e-9;
}

const char* manager_name(ManagerKind manager) {
  switch (manager) {
    case ManagerKind::kPbs:
      return "PBS";
    case ManagerKind::kSlurm:
      return "Slurm";
    case ManagerKind::kNone:
      break;
  }
  return nullptr;
}

const char* loss_name(LossReason reason) {
  switch (reason) {
    case LossReason::kStopped:
      return "stopped";
    case LossReason::kConnectionLost:
      return "connection lost";
    case LossReason::kHeartbeatLost:
      return "heartbeat lost";
    case LossReason::kIdleTimeout:
      return "idle timeout";
    case LossReason::kTimeLimitReached:
      break;
  }
  return "time limit reached";
}

struct CloseDatabase {
  void operator()(sqlite3* db) const { sqlite3_close(db); }
};
using Database = std::unique_ptr<sqlite3, CloseDatabase>;

// One statement, run for many rows. The first failure sticks.
class Insert {
 public:
  Insert(sqlite3* db, const char* sql) { sqlite3_prepare_v2(db, sql, -1, &statement_, nullptr); }
  ~Insert() { sqlite3_finalize(statement_); }
  Insert(const Insert&) = delete;
  Insert& operator=(const Insert&) = delete;

  // What cannot be bound is NULL.
  template <std::unsigned_integral T>
  Insert& add(T v) {
    sqlite3_bind_int64(statement_, ++column_, sqlite3_int64(v));
    return *this;
  }
  Insert& add(double v) {
    sqlite3_bind_double(statement_, ++column_, v);
    return *this;
  }
  Insert& add(std::string_view v) {
    sqlite3_bind_text(statement_, ++column_, v.data(), int(v.size()), SQLITE_TRANSIENT);
    return *this;
  }
  Insert& add(const char* v) { return v == nullptr ? null() : add(std::string_view(v)); }
  Insert& null() {
    sqlite3_bind_null(statement_, ++column_);
    return *this;
  }
  template <class T>
  Insert& add(const std::optional<T>& v) {
    return v ? add(*v) : null();
  }
  void row() {
    if (sqlite3_step(statement_) != SQLITE_DONE) failed_ = true;
    sqlite3_reset(statement_);
    column_ = 0;
  }
  [[nodiscard]] bool failed() const { return failed_ || statement_ == nullptr; }

 private:
  sqlite3_stmt* statement_ = nullptr;
  int column_ = 0;
  bool failed_ = false;
};

void add_task(Insert& insert, const Job& job, const TaskGroup& group, uint64_t position) {
  const TaskId id = group.id_at(position);
  const TaskState state = group.state(position);
  insert.add(job.id.value).add(id.value).add(std::string(task_state_text(state)));
  TaskChunk* chunk = group.columns.find(position);
  if (chunk == nullptr || chunk->worker(TaskColumns::row(position)) == 0) {
    insert.add(uint64_t{0});
    for (int column = 0; column < 7; ++column) insert.null();
    return insert.row();
  }
  const uint32_t row = TaskColumns::row(position);
  insert.add(uint64_t{group.instance(position).value}).add(uint64_t{chunk->worker(row)});
  const bool started = chunk->start_ms(row) != TaskChunk::kNeverStarted;
  const double start = seconds(job.submitted) + double(chunk->start_ms(row)) * 1e-3;
  if (started) {
    insert.add(start);
  } else {
    insert.null();
  }
  const bool measured = state == TaskState::kFinished || state == TaskState::kFailed;
  if (started && is_final(state)) {
    insert.add(start + double(chunk->ran(row)));
  } else {
    insert.null();
  }
  if (measured) {
    insert.add(double(chunk->user(row))).add(double(chunk->system(row))).add(uint64_t{chunk->peak_kib(row)});
  } else {
    insert.null().null().null();
  }
  if (state == TaskState::kFailed) {
    insert.add(failure_text(job.failure_of(id, {const_cast<TaskGroup*>(&group), position})));
  } else {
    insert.null();
  }
  insert.row();
}

bool add_jobs(sqlite3* db, const State& state) {
  Insert jobs(db, "INSERT INTO jobs VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)");
  Insert tasks(db, "INSERT INTO tasks VALUES (?,?,?,?,?,?,?,?,?,?,?)");
  state.for_each_job([&](const Job& job) {
    jobs.add(job.id.value).add(job.name).add(uint64_t{job.open}).add(job.task_count());
    for (TaskState s : {TaskState::kWaiting, TaskState::kRunning, TaskState::kFinished, TaskState::kFailed,
                        TaskState::kCanceled, TaskState::kAborted}) {
      jobs.add(job.count(s));
    }
    jobs.add(seconds(job.submitted));
    job.finished ? jobs.add(seconds(*job.finished)) : jobs.null();
    jobs.add(job.cancel_reason).row();
    for (const auto& group : job.groups) {
      for (uint64_t position = 0; position < group->task_count(); ++position)
        add_task(tasks, job, *group, position);
    }
  });
  return !jobs.failed() && !tasks.failed();
}

bool add_workers(sqlite3* db, const State& state) {
  Insert workers(db, "INSERT INTO workers VALUES (?,?,?,?,?,?,?,?)");
  for (const auto& [id, worker] : state.workers()) {
    const WorkerConfig& config = *worker->config;
    workers.add(id.value).add(config.hostname).add(config.group).add(manager_name(config.manager));
    config.manager_job_id.empty() ? workers.null() : workers.add(config.manager_job_id);
    workers.add(seconds(worker->connected));
    worker->ended ? workers.add(seconds(*worker->ended)) : workers.null();
    workers.add(worker->lost ? loss_name(*worker->lost) : nullptr).row();
  }
  return !workers.failed();
}

bool add_allocations(sqlite3* db, const State& state) {
  Insert queues(db, "INSERT INTO allocation_queue VALUES (?,?,?,?,?,?,?,?,?,?,?,?)");
  Insert allocations(db, "INSERT INTO allocation VALUES (?,?,?,?,?,?,?,?,?,?)");
  for (const auto& [id, queue] : state.allocations().queues()) {
    const AllocParams& params = *queue.params;
    queues.add(id.value).add(params.name).add(manager_name(params.manager));
    queues.add(queue.paused ? "paused" : "active").add(params.backlog).add(params.max_workers_per_alloc);
    queues.add(params.max_worker_count).add(std::chrono::duration<double>(params.time_limit).count());
    queues.add(fmt::format("{}", fmt::join(params.additional_args, " "))).add(queue.failures.submissions);
    queues.add(queue.failures.allocations).add(queue.failures.last).row();
    for (const auto& [number, allocation] : queue.allocations) {
      allocations.add(id.value).add(number).add(allocation.id).add(name_of(allocation.state));
      allocations.add(allocation.workers).add(allocation.directory).add(seconds(allocation.queued));
      allocation.started ? allocations.add(seconds(*allocation.started)) : allocations.null();
      allocation.ended ? allocations.add(seconds(*allocation.ended)) : allocations.null();
      allocation.cause.empty() ? allocations.null() : allocations.add(allocation.cause);
      allocations.row();
    }
  }
  return !queues.failed() && !allocations.failed();
}

}  // namespace

Result<void> export_sqlite(const State& state, const std::string& path) {
  // Made here, since SQLite would open an existing file.
  UniqueFd fresh(::open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666));
  if (!fresh.valid()) return os_error(errno);
  fresh.reset();
  sqlite3* opened = nullptr;
  const int result = sqlite3_open_v2(path.c_str(), &opened, SQLITE_OPEN_READWRITE, nullptr);
  const Database db(opened);
  bool good = result == SQLITE_OK;
  const auto run = [&](const char* sql) {
    good = good && sqlite3_exec(db.get(), sql, nullptr, nullptr, nullptr) == SQLITE_OK;
  };
  run("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; BEGIN");
  run(kSchema);
  good =
      good && add_workers(db.get(), state) && add_jobs(db.get(), state) && add_allocations(db.get(), state);
  run("INSERT INTO allocations SELECT manager_job, manager, count(*), min(connected), max(ended) FROM "
      "workers "
      "WHERE manager_job IS NOT NULL GROUP BY manager_job, manager");
  run("COMMIT");
  if (good) return {};
  return Error(sqlite3_errmsg(db.get()));
}

}  // namespace hq
