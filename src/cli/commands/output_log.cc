// hq output-log, hq log: what the files say that hold the output of many tasks. No server is asked.
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <tuple>

#include "cli/commands/output_commands.h"
#include "hq/base/log.h"
#include "hq/stream/catalog.h"

namespace hq::cli {
namespace {

constexpr auto kOut = OutputChannel::kStdout;
constexpr auto kErr = OutputChannel::kStderr;

OutputChannel channel_of(StdStream stream) {
  return stream == StdStream::kStdout ? kOut : kErr;
}

Result<std::vector<OutputFileReader>> open_log(const std::string& path) {
  auto file = OutputFileReader::open(path);
  if (!file) return file.error();
  if (!*file) return Error(fmt::format("Error: `{}` is not a log file", path));
  std::vector<OutputFileReader> files;
  files.push_back(*std::move(*file));
  return files;
}

Result<std::vector<OutputFileReader>> open_files(const OutputLogOptions& options) {
  if (options.one_file) return open_log(options.path);
  auto found = open_output_directory(options.path);
  if (!found) return found.error();
  if (!found->any) return Error("Error: No log files found");
  std::vector<OutputFileReader>& files = found->files;
  if (options.server_uid) {
    std::erase_if(files,
                  [&](const OutputFileReader& f) { return f.header().server_uid != *options.server_uid; });
    return std::move(files);
  }
  const std::vector<std::string> uids = server_uids(files);
  if (uids.size() > 1) {
    std::string text = "Error: Found streams from multiple server instances:\n";
    for (const std::string& uid : uids) text += uid + "\n";
    return Error(text + "Use --server-uid=... to specify server uid");
  }
  return std::move(files);
}

std::string size_text(uint64_t bytes) {
  constexpr uint64_t kUnit = 1024;
  const auto scaled = [&](uint64_t unit) { return double(bytes) / double(unit); };
  if (bytes < 2 * kUnit) return fmt::format("{} B", bytes);
  if (bytes < 2 * kUnit * kUnit) return fmt::format("{:.2f} KiB", scaled(kUnit));
  if (bytes < 2 * kUnit * kUnit * kUnit) return fmt::format("{:.2f} MiB", scaled(kUnit * kUnit));
  return fmt::format("{:.2f} GiB", scaled(kUnit * kUnit * kUnit));
}

struct Summary {
  uint64_t files = 0;
  uint64_t jobs = 0;
  uint64_t tasks = 0;
  uint64_t streams = 0;
  uint64_t opened = 0;
  uint64_t superseded = 0;
  uint64_t size[kOutputChannels] = {};
  uint64_t superseded_size[kOutputChannels] = {};
};

Summary summary_of(const std::map<JobId, OutputCatalog::Tasks>& jobs) {
  Summary s;
  s.jobs = jobs.size();
  for (const auto& [job, tasks] : jobs) {
    s.tasks += tasks.size();
    for (const auto& [task, instances] : tasks) {
      s.streams += instances.size();
      s.superseded += instances.size() - 1;
      s.opened += instances.rbegin()->second.finished() ? 0 : 1;
      for (const auto& [instance, attempt] : instances) {
        const bool newest = instance == instances.rbegin()->first;
        for (size_t i = 0; i < kOutputChannels; ++i) {
          (newest ? s.size : s.superseded_size)[i] += attempt.length[i];
        }
      }
    }
  }
  return s;
}

void print_summary(const std::string& path, const Summary& s, Output& output) {
  Table table = Table::vertical();
  const auto sizes = [](const uint64_t* size) { return size_text(size[0]) + " / " + size_text(size[1]); };
  table.add_row("Path", path);
  table.add_row("Files", std::to_string(s.files));
  table.add_row("Jobs", std::to_string(s.jobs));
  table.add_row("Tasks", std::to_string(s.tasks));
  table.add_row("Opened streams", std::to_string(s.opened));
  table.add_row("Stdout/stderr size", sizes(s.size));
  table.add_row("Superseded streams", std::to_string(s.superseded));
  table.add_row("Superseded stdout/stderr size", sizes(s.superseded_size));
  output.print_table(table);
  output.print_json([&](JsonWriter& w) {
    w.begin_object();
    w.member("filename", path);
    w.key("summary");
    w.begin_object();
    w.member("n_files", s.files);
    w.member("n_jobs", s.jobs);
    w.member("n_opened", s.opened);
    w.member("n_streams", s.streams);
    w.member("n_superseded", s.superseded);
    w.member("n_tasks", s.tasks);
    w.member("stderr_size", s.size[1]);
    w.member("stdout_size", s.size[0]);
    w.member("superseded_stderr_size", s.superseded_size[1]);
    w.member("superseded_stdout_size", s.superseded_size[0]);
    w.end_object();
    w.end_object();
  });
}

// One command on one set of files.
class Reading {
 public:
  Reading(const OutputLogOptions& options, const std::vector<OutputFileReader>& files, Output& output)
      : options_(options), files_(files), catalog_(files), output_(output) {}

  Result<void> run() {
    switch (options_.what) {
      case OutputLogOptions::What::kSummary:
        return summary();
      case OutputLogOptions::What::kJobs:
        return jobs();
      case OutputLogOptions::What::kShow:
        return show();
      case OutputLogOptions::What::kCat:
        return for_tasks([&](const auto& attempt) { return cat(attempt); });
      case OutputLogOptions::What::kExport:
        return export_job();
    }
    return {};
  }

 private:
  using Attempt = OutputCatalog::Attempt;
  using Use = std::function<Result<void>(const Attempt&)>;

  Result<void> summary() {
    auto all = catalog_.all();
    if (!all) return all.error();
    Summary found = summary_of(*all);
    found.files = files_.size();
    print_summary(options_.path, found, output_);
    return {};
  }

  Result<void> jobs() {
    auto all = catalog_.all();
    if (!all) return all.error();
    for (const auto& [job, tasks] : *all) output_.print_raw(fmt::format("{}\n", job.value));
    return {};
  }

  // --- show ---

  struct Piece {
    WallTime time;
    size_t file = 0;
    uint64_t at = 0;
    uint64_t order = 0;  // within the file
    RecordHeader record;
  };

  Result<void> show() {
    auto all = catalog_.all();
    if (!all) return all.error();
    uint32_t last_job = 0;
    uint32_t last_task = 0;
    for (const auto& [job, tasks] : *all) {
      last_job = std::max(last_job, job.value);
      if (!tasks.empty()) last_task = std::max(last_task, tasks.rbegin()->first.value);
    }
    job_width_ = std::to_string(last_job).size();
    task_width_ = std::to_string(last_task).size();
    std::vector<Piece> pieces;
    for (size_t i = 0; i < files_.size(); ++i) {
      if (auto collected = collect(i, *all, pieces); !collected) return collected;
    }
    std::sort(pieces.begin(), pieces.end(), [](const Piece& a, const Piece& b) {
      return std::tie(a.time, a.file, a.order) < std::tie(b.time, b.file, b.order);
    });
    for (const Piece& piece : pieces) show_piece(piece);
    return {};
  }

  Result<void> collect(size_t index, const std::map<JobId, OutputCatalog::Tasks>& all,
                       std::vector<Piece>& pieces) {
    uint64_t order = 0;
    auto seen = files_[index].visit(OutputFileReader::Payloads::kSkip,
                                    [&](const RecordHeader& record, uint64_t at, BytesView) {
                                      ++order;
                                      if (!shown(record) || !is_newest(record.key, all)) return;
                                      pieces.push_back({record.time, index, at, order, record});
                                    });
    if (!seen) return seen.error();
    tell_damage(files_[index], *seen);
    return {};
  }

  static bool is_newest(const StreamKey& key, const std::map<JobId, OutputCatalog::Tasks>& all) {
    const auto job = all.find(key.job);
    if (job == all.end()) return false;
    const auto task = job->second.find(key.task);
    return task != job->second.end() && task->second.rbegin()->first == key.instance;
  }

  bool shown(const RecordHeader& record) const {
    if (record.length == 0 && !options_.show_empty) return false;
    if (options_.job && record.key.job.value != *options_.job) return false;
    return !options_.only || record.channel == channel_of(*options_.only);
  }

  void show_piece(const Piece& piece) {
    const StreamKey& key = piece.record.key;
    auto bytes = files_[piece.file].payload(piece.record, piece.at);
    if (!bytes) {
      tell_damage(files_[piece.file],
                  {{piece.at, kRecordHeaderBytes + piece.record.length, piece.record, false}});
      return;
    }
    std::string header =
        options_.one_file ? fmt::format("{:0{}}:{}>", key.task.value, task_width_, int(piece.record.channel))
                          : fmt::format("{:0{}}.{:0{}}:{}>", key.job.value, job_width_, key.task.value,
                                        task_width_, int(piece.record.channel));
    if (output_.style().text()) {
      // Neighbours differ, so that tasks that print in turns can be told apart.
      header = fmt::format("\x1b[4{}m{}\x1b[0m", 1 + key.task.value % 6, header);
    }
    output_.print_raw(header + " ");
    output_.print_raw(*bytes);
    if (!bytes->ends_with('\n')) output_.print_raw("\n");
  }

  // --- cat, export ---

  // A log file has one job.
  Result<JobId> job_id() const {
    if (options_.job) return JobId(*options_.job);
    auto all = catalog_.all();
    if (!all) return all.error();
    return all->empty() ? JobId(0) : all->begin()->first;
  }

  Result<void> for_tasks(const Use& use) {
    auto job = job_id();
    if (!job) return job.error();
    if (options_.tasks) return for_named_tasks(*job, *options_.tasks, use);
    auto tasks = catalog_.job(*job);
    if (!tasks) return tasks.error();
    if (tasks->empty() && !options_.one_file) return Error(fmt::format("Job {} not found", job->value));
    for (const auto& [task, instances] : *tasks) {
      if (auto used = use(instances.rbegin()->second); !used) return used;
    }
    return {};
  }

  Result<void> for_named_tasks(JobId job, const IdArray& ids, const Use& use) {
    for (uint32_t id : ids.expand()) {
      auto attempt = catalog_.task(job, TaskId(id));
      if (!attempt) return attempt.error();
      if (!*attempt) {
        auto tasks = catalog_.job(job);
        if (!tasks) return tasks.error();
        if (tasks->empty() && !options_.one_file) return Error(fmt::format("Job {} not found", job.value));
        return Error(fmt::format("Task {} not found", id));
      }
      if (auto used = use(**attempt); !used) return used;
    }
    return {};
  }

  Result<void> cat(const Attempt& attempt) {
    if (!attempt.finished() && !options_.allow_unfinished) {
      return Error(fmt::format("Stream for task {} is not finished", attempt.key.task.value));
    }
    return read(attempt, channel_of(options_.channel), [&](BytesView bytes) { output_.print_raw(bytes); });
  }

  Result<void> export_job() {
    std::string text;
    JsonWriter json(JsonWriter::Layout::kPretty, [&](std::string_view piece) { text.append(piece); });
    json.begin_array();
    auto exported = for_tasks([&](const Attempt& attempt) -> Result<void> {
      std::string bytes;
      auto done = read(attempt, kOut, [&](BytesView more) { bytes.append(more); });
      if (!done) return done;
      json.begin_object();
      json.member("finished", attempt.finished());
      json.member("id", attempt.key.task.value);
      json.member("stdout", bytes);
      json.end_object();
      output_.print_raw(std::exchange(text, {}));
      return {};
    });
    if (!exported) return exported;
    json.end_array();
    json.finish();
    output_.print_raw(text + "\n");
    return {};
  }

  // Output that is damaged must not be taken for all there was.
  Result<void> read(const Attempt& attempt, OutputChannel channel, const OutputFileReader::Sink& sink) {
    auto damages = OutputCatalog::read(attempt, channel, sink);
    if (!damages) return damages.error();
    std::erase_if(*damages, [](const Damage& damage) { return damage.tail; });
    if (damages->empty()) return {};
    std::vector<std::string> causes;
    for (const Damage& damage : *damages) causes.push_back(damage.text());
    return Error(fmt::format("Some output of task {} is damaged and was left out", attempt.key.task.value),
                 std::move(causes));
  }

  static void tell_damage(const OutputFileReader& file, const std::vector<Damage>& damages) {
    for (const Damage& damage : damages) {
      if (!damage.tail) log::warn(fmt::format("Stream file `{}`: {}", file.path(), damage.text()));
    }
  }

  const OutputLogOptions& options_;
  const std::vector<OutputFileReader>& files_;
  const OutputCatalog catalog_;
  Output& output_;
  size_t job_width_ = 0;
  size_t task_width_ = 0;
};

}  // namespace

int run_output_log(const OutputLogOptions& options, Output& output) {
  auto files = open_files(options);
  if (!files) return output.print_error(files.error());
  auto done = Reading(options, *files, output).run();
  if (!done) return output.print_error(done.error());
  return output.finish();
}

}  // namespace hq::cli
