// A batch system that the test answers for.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "hq/base/assert.h"
#include "hq/batch/batch_system.h"

namespace hq::test {

class FakeBatch : public BatchSystem {
 public:
  void ask(BatchId id, BatchRequest request) override {
    HQ_ASSERT(asked.emplace(id, std::move(request)).second);
  }
  std::optional<BatchAnswer> next_answer() override {
    if (answers_.empty()) return std::nullopt;
    BatchAnswer answer = std::move(answers_.front());
    answers_.pop_front();
    return answer;
  }

  // The oldest request of this kind that is not answered; nothing if there is none.
  template <class R>
  [[nodiscard]] std::optional<std::pair<BatchId, R>> next() const {
    for (const auto& [id, request] : asked) {
      if (const auto* found = std::get_if<R>(&request)) return std::pair(id, *found);
    }
    return std::nullopt;
  }
  void answer(BatchAnswer answer) {
    HQ_ASSERT(asked.erase(answer.request) == 1);
    answers_.push_back(std::move(answer));
  }

  std::map<BatchId, BatchRequest> asked;  // not answered

 private:
  std::deque<BatchAnswer> answers_;
};

}  // namespace hq::test
