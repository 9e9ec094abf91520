#include "cli/commands/follower.h"

#include <algorithm>
#include <utility>

#include "hq/base/log.h"

namespace hq::cli {
namespace {

constexpr Duration kFirstPause = 100ms;
constexpr Duration kLongestPause = 3s;
constexpr Duration kAnswerTime = 5s;

}  // namespace

Follower::Follower(const CommandContext& context, Client client)
    : context_(context), client_(std::move(client)), info_request_(client_->send(msg::GetServerInfo{})) {}

bool Follower::would_come_back() {
  if (!server_) {
    // What came before the end of the connection is there without waiting.
    auto answer = client_->next_until(info_request_, TimePoint::min());
    if (!answer || !*answer) return false;
    if (auto* info = std::get_if<msg::ServerInfo>(&**answer)) server_ = std::move(*info);
  }
  return server_ && server_->resume_window;
}

bool Follower::try_to_reach() {
  auto next = context_.connect();
  if (!next) return false;
  auto answer = next->next_until(next->send(msg::GetServerInfo{}), context_.clock->now().mono + kAnswerTime);
  if (!answer || !*answer) return false;
  auto* info = std::get_if<msg::ServerInfo>(&**answer);
  if (info == nullptr || info->server_uid != server_->server_uid) return false;
  server_ = std::move(*info);
  client_.emplace(std::move(*next));
  return true;
}

bool Follower::come_back() {
  if (!client_->lost() || !would_come_back()) return false;
  log::warn("The connection to the server has ended; waiting for its return");
  const TimePoint deadline = context_.clock->now().mono + *server_->resume_window;
  for (Duration pause = kFirstPause; context_.clock->now().mono < deadline;
       pause = std::min(2 * pause, kLongestPause)) {
    context_.sleep_until(std::min(deadline, context_.clock->now().mono + pause));
    if (!try_to_reach()) continue;
    log::info("The server is back");
    return true;
  }
  return false;
}

}  // namespace hq::cli
