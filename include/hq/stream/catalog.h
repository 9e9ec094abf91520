// What a set of output files holds, by job, task and instance: a directory that several workers have written
// to, or one log file. Of each task the newest instance counts.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "hq/stream/reader.h"

namespace hq {

// The output files below a directory, by name; those of another format are left out.
struct OutputFiles {
  bool any = false;  // something was there that calls itself an output file
  std::vector<OutputFileReader> files;
};
[[nodiscard]] Result<OutputFiles> open_output_directory(const std::string& path);
// Ascending, each once.
[[nodiscard]] std::vector<std::string> server_uids(const std::vector<OutputFileReader>& files);

class OutputCatalog {
 public:
  // One attempt, with the files that have a part of it.
  struct Attempt {
    StreamKey key;
    uint32_t flags = 0;
    std::array<uint64_t, kOutputChannels> length{};
    std::vector<std::pair<const OutputFileReader*, IndexEntry>> parts;
    [[nodiscard]] bool finished() const { return (flags & (kEndedStdout | kEndedStderr)) != 0; }
  };
  using Instances = std::map<InstanceId, Attempt>;
  using Tasks = std::map<TaskId, Instances>;

  // `files` must outlive it. Nothing is looked up before it is asked for.
  explicit OutputCatalog(const std::vector<OutputFileReader>& files) : files_(files) {}

  // All of it.
  [[nodiscard]] Result<std::map<JobId, Tasks>> all() const;
  [[nodiscard]] Result<Tasks> job(JobId job) const;
  // The newest instance; nothing if there is none.
  [[nodiscard]] Result<std::optional<Attempt>> task(JobId job, TaskId task) const;
  // The bytes of a channel; returns what of them is damaged.
  [[nodiscard]] static Result<std::vector<Damage>> read(const Attempt& attempt, OutputChannel channel,
                                                        const OutputFileReader::Sink& sink);

 private:
  const std::vector<OutputFileReader>& files_;
};

}  // namespace hq
