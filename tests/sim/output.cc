#include "sim/output.h"

#include <algorithm>

#include "hq/stream/batch.h"

namespace hq::sim {

namespace {

constexpr size_t kPiece = 700;
constexpr double kDiskFails = 0.01;

}  // namespace

std::string printed_by(const StreamKey& key) {
  const uint64_t seed = StreamKeyHash()(key);
  std::string text(seed % 2500, '\0');
  SeededRandom random(seed);
  for (char& c : text) c = char(random.next());
  return text;
}

// --- on a worker -------------------------------------------------------------------------------------------

void SimOutput::start(OutputId id, const OutputPlace& place, const StreamKey& key, UniqueFd, UniqueFd) {
  tasks_[id] = {place, key};
}

void SimOutput::end(OutputId id) {
  const Task& task = tasks_.at(id);
  if (!task.place.directory.empty()) {
    const bool fails = random_.chance(0.02);
    later_(Duration(random_.below(20'000'000)), [this, id, fails] {
      events_.push_back({id, fails ? std::optional<std::string>("Streaming: no room") : std::nullopt, 0});
    });
    return;
  }
  if (abandoned_) {
    events_.push_back({id, std::nullopt, 0});
    return;
  }
  const std::string text = printed_by(task.key);
  size_t done = 0;
  do {
    const size_t size = std::min(kPiece, text.size() - done);
    const bool is_last = done + size == text.size();
    OutputPacket packet;
    packet.place = task.place;
    RecordHeader record;
    record.key = task.key;
    record.position = done;
    record.flags = is_last ? uint8_t(kChannelEnds | kOtherEmpty) : uint8_t(0);
    put_batch_record(packet.records, record, BytesView(text).substr(done, size));
    waiting_.emplace_back(std::move(packet), is_last ? std::optional(id) : std::nullopt);
    done += size;
  } while (done < text.size());
  hand_over();
}

void SimOutput::hand_over() {
  while (!waiting_.empty()) {
    auto& [packet, last_of] = waiting_.front();
    if (held_ > 0 && held_ + packet.records.size() > window_) return;
    held_ += packet.records.size();
    packet.number = ++last_number_;
    if (last_of) last_of_[packet.number] = *last_of;
    packets_.emplace(packet.number, std::move(packet));
    waiting_.pop_front();
  }
}

void SimOutput::abandon() {
  abandoned_ = true;
  for (const auto& [number, id] : last_of_) events_.push_back({id, std::nullopt, 0});
  for (const auto& [packet, id] : waiting_) {
    if (id) events_.push_back({*id, std::nullopt, 0});
  }
  last_of_.clear();
  waiting_.clear();
  packets_.clear();
  held_ = 0;
}

std::optional<OutputEvent> SimOutput::next_event() {
  while (!events_.empty()) {
    OutputEvent event = std::move(events_.front());
    events_.pop_front();
    if (tasks_.erase(event.id) > 0) return event;
  }
  return std::nullopt;
}

std::optional<OutputPacket> SimOutput::next_packet() {
  const auto next = packets_.upper_bound(last_sent_);
  if (next == packets_.end()) return std::nullopt;
  last_sent_ = next->first;
  return next->second;
}

void SimOutput::on_resumed(uint64_t last, const std::vector<uint64_t>& pending) {
  std::vector<uint64_t> kept;
  for (const auto& [number, packet] : packets_) {
    if (number <= last && std::find(pending.begin(), pending.end(), number) == pending.end()) {
      kept.push_back(number);
    }
  }
  for (uint64_t number : kept) on_kept(number, {});
  last_sent_ = last;
}

void SimOutput::on_kept(uint64_t number, const std::vector<PacketFailure>& failures) {
  const auto packet = packets_.find(number);
  if (packet == packets_.end()) return;
  for (const PacketFailure& failure : failures) {
    const StreamKey key{packet->second.place.job, failure.task, failure.instance};
    for (const auto& [id, task] : tasks_) {
      if (task.key == key) events_.push_back({id, failure.why, 0});
    }
  }
  held_ -= packet->second.records.size();
  packets_.erase(packet);
  if (const auto last = last_of_.extract(number); !last.empty()) {
    events_.push_back({last.mapped(), std::nullopt, 0});
  }
  hand_over();
}

// --- on the server -----------------------------------------------------------------------------------------

void SimLogs::append(LogBatchId id, const LogPlace& place, Bytes records) {
  batches_.push_back({id, place, std::move(records)});
  later_(Duration(random_.below(30'000'000)), [this, servers = servers_] {
    // Whichever timer comes first, batches are written in order.
    if (servers != servers_ || batches_.empty()) return;
    const Batch batch = std::move(batches_.front());
    batches_.pop_front();
    done_.push_back({batch.id, random_.chance(kDiskFails) ? lose(batch) : write(batch)});
  });
}

// The disk takes nothing of it. Until somebody looks at the file anew its tasks have lost what came before.
std::vector<LogBatchDone::Failure> SimLogs::lose(const Batch& batch) {
  std::vector<LogBatchDone::Failure> failures;
  (void)visit_batch(batch.records, [&](const RecordHeader& record, BytesView) {
    lost_.insert({batch.place.path, record.key});
    holed_.insert({batch.place.path, record.key});
    failures.push_back({record.key, "Streaming: no room"});
  });
  return failures;
}

std::vector<LogBatchDone::Failure> SimLogs::write(const Batch& batch) {
  std::vector<LogBatchDone::Failure> failures;
  auto& file = files_[{batch.place.server_uid, batch.place.path}];
  const bool intact = visit_batch(batch.records, [&](const RecordHeader& record, BytesView bytes) {
    std::string& text = file[record.key];
    const bool gap = record.position > text.size();
    if (lost_.contains({batch.place.path, record.key}) ||
        (gap && holed_.contains({batch.place.path, record.key}))) {
      failures.push_back({record.key, "Streaming: what came before is lost"});
      return;
    }
    if (gap) fault_ = "output has a gap";
    const size_t known =
        std::min<size_t>(text.size() - std::min<uint64_t>(record.position, text.size()), bytes.size());
    text.append(bytes.substr(known));
  });
  if (!intact) fault_ = "output was damaged on its way";
  return failures;
}

std::optional<LogBatchDone> SimLogs::next_done() {
  if (done_.empty()) return std::nullopt;
  LogBatchDone done = std::move(done_.front());
  done_.pop_front();
  return done;
}

void SimLogs::on_server_gone() {
  ++servers_;
  while (!batches_.empty() && random_.chance(0.7)) {
    (void)write(batches_.front());
    batches_.pop_front();
  }
  lost_.clear();
  batches_.clear();
  done_.clear();
}

std::string SimLogs::content(const std::string& server_uid, const std::string& path,
                             const StreamKey& key) const {
  const auto file = files_.find({server_uid, path});
  if (file == files_.end()) return "";
  const auto text = file->second.find(key);
  return text == file->second.end() ? "" : text->second;
}

}  // namespace hq::sim
