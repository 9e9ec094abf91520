// Log files that are only remembered. By itself each batch is safe at once; else the test says when.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "hq/base/assert.h"
#include "hq/stream/batch.h"
#include "hq/stream/log_store.h"

namespace hq::test {

class FakeLogs : public LogStore {
 public:
  void append(LogBatchId id, const LogPlace& place, Bytes records) override {
    HQ_ASSERT(batches.emplace(id, std::pair(place, std::move(records))).second);
    if (automatic) keep(id);
  }
  std::optional<LogBatchDone> next_done() override {
    if (done_.empty()) return std::nullopt;
    LogBatchDone done = std::move(done_.front());
    done_.pop_front();
    return done;
  }

  // --- what the test decides ---
  bool automatic = true;
  std::map<LogBatchId, std::pair<LogPlace, Bytes>> batches;  // not safe yet
  std::map<std::string, std::string> stdouts;                // by path: what is safe, in the order of arrival
  void keep(LogBatchId id) {
    const auto batch = batches.extract(id);
    HQ_ASSERT(!batch.empty());
    std::string& written = stdouts[batch.mapped().first.path];
    (void)visit_batch(batch.mapped().second,
                      [&](const RecordHeader&, BytesView bytes) { written.append(bytes); });
    done_.push_back({id, {}});
  }
  void fail(LogBatchId id, const StreamKey& key, const std::string& why) {
    HQ_ASSERT(batches.erase(id) == 1);
    done_.push_back({id, {{key, why}}});
  }

 private:
  std::deque<LogBatchDone> done_;
};

}  // namespace hq::test
