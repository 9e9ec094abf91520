// Reads output files, finished ones by their index, others (being written, left by a crash, damaged) by going
// through them. Nothing here waits for a writer, and nothing in a file can make it do more than the file's
// size allows.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hq/base/result.h"
#include "hq/base/unique_fd.h"
#include "hq/stream/format.h"

namespace hq {

// Bytes of a file that are no intact record.
struct Damage {
  uint64_t offset = 0;
  uint64_t bytes = 0;
  std::optional<RecordHeader> record;  // of which the header is intact and the payload not
  // At the end of the file: the record was not written to its end (so far).
  bool tail = false;
  // "bytes 100 to 199 are damaged (output of task 1.3, 48 bytes)"
  [[nodiscard]] std::string text() const;
};

class OutputFileReader {
 public:
  // An error when it can't be read; no value when it is not an output file of this format.
  [[nodiscard]] static Result<std::optional<OutputFileReader>> open(const std::string& path);

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] const OutputFileHeader& header() const { return header_; }
  [[nodiscard]] uint64_t size() const { return size_; }
  [[nodiscard]] bool has_index() const { return !segments_.empty() || finished_; }

  // One data record. `at` is where the record, or the block that holds it, stands.
  using Visit = std::function<void(const RecordHeader& record, uint64_t at, BytesView payload)>;
  // Every intact data record in the order of the file; payloads are empty if not asked for, and unchecked
  // then.
  enum class Payloads : uint8_t { kSkip, kRead };
  [[nodiscard]] Result<std::vector<Damage>> visit(Payloads payloads, const Visit& visit) const;

  // The payload of a record that visit() has shown; nothing when it is damaged.
  [[nodiscard]] std::optional<Bytes> payload(const RecordHeader& record, uint64_t at) const;

  // All attempts, ascending.
  [[nodiscard]] Result<std::vector<IndexEntry>> attempts() const;
  // Those of a job, or of one of its tasks.
  [[nodiscard]] Result<std::vector<IndexEntry>> find(JobId job, std::optional<TaskId> task) const;
  // The bytes of a channel from `position` on, in order, at least `most` if there are as many; returns what
  // of them is damaged. `entry` is one that attempts() or find() gave.
  using Sink = std::function<void(BytesView bytes)>;
  [[nodiscard]] Result<std::vector<Damage>> read(const IndexEntry& entry, OutputChannel channel,
                                                 const Sink& sink, uint64_t position = 0,
                                                 uint64_t most = UINT64_MAX) const;

 private:
  OutputFileReader() = default;
  void load_index();
  [[nodiscard]] std::optional<Bytes> checked_payload(const RecordHeader& record, uint64_t at) const;
  [[nodiscard]] std::optional<RecordHeader> header_at(uint64_t at) const;
  [[nodiscard]] Result<std::vector<IndexEntry>> collect() const;
  bool search_segment(const SegmentPlace& place, JobId job, std::optional<TaskId> task,
                      std::vector<IndexEntry>& found) const;
  bool follow_chain(const IndexEntry& entry, OutputChannel channel, uint64_t position,
                    std::vector<uint64_t>& places) const;
  void read_place(const IndexEntry& entry, uint64_t at, OutputChannel channel, uint64_t position,
                  const Sink& sink, std::vector<Damage>& damages) const;

  std::string path_;
  UniqueFd fd_;
  OutputFileHeader header_;
  uint64_t size_ = 0;
  bool finished_ = false;  // it ends with a trailer
  std::vector<SegmentPlace> segments_;
};

// What a writer needs to go on with a file.
struct Recovered {
  OutputFileHeader header;
  uint64_t size = 0;  // to the end of its last intact record: what is behind it is to be cut off
  std::vector<IndexEntry> attempts;
  std::vector<Damage> damages;
};
[[nodiscard]] Result<Recovered> recover_output_file(const OutputFileReader& file);

}  // namespace hq
