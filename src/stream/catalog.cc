#include "hq/stream/catalog.h"

#include <algorithm>
#include <filesystem>
#include <set>

namespace hq {

namespace {

void add(OutputCatalog::Tasks& tasks, const OutputFileReader& file, const IndexEntry& entry) {
  OutputCatalog::Attempt& attempt = tasks[entry.key.task][entry.key.instance];
  attempt.key = entry.key;
  attempt.flags |= entry.flags;
  for (size_t i = 0; i < kOutputChannels; ++i) {
    attempt.length[i] = std::max(attempt.length[i], entry.length[i]);
  }
  attempt.parts.emplace_back(&file, entry);
}

}  // namespace

Result<OutputFiles> open_output_directory(const std::string& path) {
  std::error_code error;
  std::vector<std::string> paths;
  for (std::filesystem::directory_iterator item(path, error), end; !error && item != end;
       item.increment(error)) {
    if (item->path().extension() == kOutputFileSuffix) paths.push_back(item->path());
  }
  if (error) return os_error(error.value());
  std::sort(paths.begin(), paths.end());
  OutputFiles all;
  all.any = !paths.empty();
  for (const std::string& file_path : paths) {
    auto file = OutputFileReader::open(file_path);
    if (!file) return std::move(file.error()).with_context("Cannot read stream file `" + file_path + "`");
    if (*file) all.files.push_back(*std::move(*file));
  }
  return all;
}

std::vector<std::string> server_uids(const std::vector<OutputFileReader>& files) {
  std::set<std::string> uids;
  for (const OutputFileReader& file : files) uids.insert(file.header().server_uid);
  return {uids.begin(), uids.end()};
}

Result<std::map<JobId, OutputCatalog::Tasks>> OutputCatalog::all() const {
  std::map<JobId, Tasks> jobs;
  for (const OutputFileReader& file : files_) {
    auto entries = file.attempts();
    if (!entries) return entries.error();
    for (const IndexEntry& entry : *entries) add(jobs[entry.key.job], file, entry);
  }
  return jobs;
}

Result<OutputCatalog::Tasks> OutputCatalog::job(JobId job) const {
  Tasks tasks;
  for (const OutputFileReader& file : files_) {
    auto entries = file.find(job, std::nullopt);
    if (!entries) return entries.error();
    for (const IndexEntry& entry : *entries) add(tasks, file, entry);
  }
  return tasks;
}

Result<std::optional<OutputCatalog::Attempt>> OutputCatalog::task(JobId job, TaskId task) const {
  Tasks tasks;
  for (const OutputFileReader& file : files_) {
    auto entries = file.find(job, task);
    if (!entries) return entries.error();
    for (const IndexEntry& entry : *entries) add(tasks, file, entry);
  }
  if (tasks.empty()) return std::optional<Attempt>();
  return std::optional(std::move(tasks.begin()->second.rbegin()->second));
}

Result<std::vector<Damage>> OutputCatalog::read(const Attempt& attempt, OutputChannel channel,
                                                const OutputFileReader::Sink& sink) {
  std::vector<Damage> damages;
  for (const auto& [file, entry] : attempt.parts) {
    auto more = file->read(entry, channel, sink);
    if (!more) return more.error();
    damages.insert(damages.end(), more->begin(), more->end());
  }
  return damages;
}

}  // namespace hq
