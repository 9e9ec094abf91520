// Messages of tasks that the test says.
#pragma once

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "hq/os/local_notices.h"

namespace hq::test {

class FakeNotices : public LocalNotices {
 public:
  void take_in() override {}
  std::optional<LocalNotice> next() override {
    if (said_.empty()) return std::nullopt;
    LocalNotice notice = std::move(said_.front());
    said_.pop_front();
    return notice;
  }
  void confirm(LocalNoticeId id) override { confirmed.push_back(id.value); }
  void refuse(LocalNoticeId id) override { refused.push_back(id.value); }

  // Returns its number.
  uint64_t say(std::string token, std::string text) {
    said_.push_back({LocalNoticeId(++last_), std::move(token), std::move(text)});
    return last_;
  }
  [[nodiscard]] size_t waiting() const { return said_.size(); }

  std::vector<uint64_t> confirmed;
  std::vector<uint64_t> refused;

 private:
  std::deque<LocalNotice> said_;
  uint64_t last_ = 0;
};

}  // namespace hq::test
