// Looks that the test answers.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <utility>

#include "hq/base/assert.h"
#include "hq/stream/output_peek.h"

namespace hq::test {

class FakePeek : public OutputPeek {
 public:
  void look(PeekId id, const PeekTarget& target, const PeekRange& range) override {
    HQ_ASSERT(looks.emplace(id, std::pair(target, range)).second);
  }
  std::optional<Peeked> next_peeked() override {
    if (peeked_.empty()) return std::nullopt;
    Peeked peeked = std::move(peeked_.front());
    peeked_.pop_front();
    return peeked;
  }

  std::map<PeekId, std::pair<PeekTarget, PeekRange>> looks;  // not answered
  void answer(Peeked peeked) {
    HQ_ASSERT(looks.erase(peeked.id) == 1);
    peeked_.push_back(std::move(peeked));
  }

 private:
  std::deque<Peeked> peeked_;
};

}  // namespace hq::test
