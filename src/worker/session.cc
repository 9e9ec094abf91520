#include "worker/session.h"

#include <algorithm>

#include <fmt/format.h>

#include "hq/base/assert.h"
#include "hq/base/log.h"
#include "hq/protocol/heartbeat.h"

namespace hq {

namespace {

constexpr int kRegistrations = 8;
constexpr Duration kRegistrationPause = 10s;
constexpr int kConnects = 20;
constexpr Duration kConnectPause = 2s;
constexpr Duration kAnswerTimeout = 15s;   // for a connection and for a welcome
constexpr Duration kAccessPatience = 60s;  // directory caches of network file systems
constexpr Duration kFirstRetryPause = 100ms;
constexpr Duration kLongestRetryPause = 3s;

}  // namespace

Session::Session(Connector& connector, Random& random, Duration heartbeat, bool patient, TimePoint start)
    : connector_(connector),
      random_(random),
      heartbeat_(heartbeat),
      patient_(patient),
      start_(start),
      stage_since_(start),
      next_try_(start),
      next_beat_(start) {}

// --- coming and going -----------------------------------------------------------------------------------

std::optional<Session::Notice> Session::next(Now now) {
  if (stage_ == Stage::kClosed) return std::nullopt;
  if (stage_ == Stage::kIdle) return now.mono < next_try_ ? std::nullopt : connect(now);
  if (broken_) {
    const std::string why = *broken_;
    return ended(why, now);
  }
  // What the server said before it went away counts.
  if (stage_ != Stage::kConnecting) {
    if (auto notice = receive(now)) return notice;
    if (stage_ == Stage::kIdle || stage_ == Stage::kClosed) return std::nullopt;
  }
  return look_at_channel(now);
}

std::optional<Session::Notice> Session::connect(Now now) {
  auto channel = connector_.connect();
  if (!channel) {
    if (registered_) {
      log::debug("Cannot connect to the server: " + channel.error().full_text());
      try_later(now);
      return std::nullopt;
    }
    if (patient_ && now.mono < start_ + kAccessPatience) {
      next_try_ = now.mono + kConnectPause;
      return std::nullopt;
    }
    stage_ = Stage::kClosed;
    return GaveUp{channel.error()};
  }
  channel_ = std::move(*channel);
  stage_ = Stage::kConnecting;
  stage_since_ = now.mono;
  return look_at_channel(now);
}

std::optional<Session::Notice> Session::look_at_channel(Now now) {
  switch (channel_->state()) {
    case DealerChannel::State::kOpen:
      if (stage_ == Stage::kConnecting) {
        stage_ = Stage::kGreeting;
        stage_since_ = now.mono;
        return Opened{};
      }
      break;
    case DealerChannel::State::kConnecting:
      break;
    case DealerChannel::State::kRefused: {
      const std::string why = channel_->failure();
      if (registered_) return ended(why, now);
      drop_channel();
      stage_ = Stage::kClosed;
      return GaveUp{Error(why)};
    }
    case DealerChannel::State::kClosed:
      return ended(channel_->failure(), now);
  }
  if (stage_ != Stage::kWelcomed && now.mono >= stage_since_ + kAnswerTimeout) {
    return ended("The server did not answer in time", now);
  }
  if (silent_too_long(now)) return ended("The server does not answer heartbeats", now);
  return std::nullopt;
}

// Two intervals without an answer: the connection is dead, whatever the kernel thinks of it. Without a window
// to come back in, the lease ends at the same moment, so there is nothing to gain from a new one.
bool Session::silent_too_long(Now now) const {
  return welcomed() && resumable_ && !unanswered_.empty() &&
         now.mono >= unanswered_.front().at + 2 * heartbeat_;
}

std::optional<Session::Notice> Session::ended(const std::string& why, Now now, bool server_is_there) {
  const Stage stage = stage_;
  drop_channel();
  stage_ = Stage::kIdle;
  stage_since_ = now.mono;
  if (stage == Stage::kWelcomed) {
    stage_ = Stage::kClosed;
    return Lost{why, server_is_there};
  }
  if (registered_) {
    log::debug("Cannot reach the server: " + why);
    try_later(now);
    return std::nullopt;
  }
  if (stage != Stage::kConnecting) return registration_failed(why, now);
  if (why.starts_with(kLookupFailed) && !patient_) {
    stage_ = Stage::kClosed;
    return GaveUp{Error(why)};
  }
  log::error("Could not connect to server, error: " + why);
  if (++connects_ == kConnects) return registration_failed(why, now);
  next_try_ = now.mono + kConnectPause;
  return std::nullopt;
}

std::optional<Session::Notice> Session::registration_failed(const std::string& why, Now now) {
  connects_ = 0;
  if (++registrations_ == kRegistrations) {
    stage_ = Stage::kClosed;
    return GaveUp{Error("Could not register at the server", {why})};
  }
  log::warn(fmt::format("Worker registration attempt {}/{} failed: {}; retrying in {}s", registrations_,
                        kRegistrations, why, kRegistrationPause / 1s));
  next_try_ = now.mono + kRegistrationPause;
  return std::nullopt;
}

void Session::drop_channel() {
  channel_.reset();
  outbox_.clear();
  unanswered_.clear();
  broken_.reset();
  number_ = SessionId{};
}

void Session::retry(Now now) {
  drop_channel();
  stage_ = Stage::kIdle;
  retries_ = 0;
  next_try_ = now.mono;
}

void Session::try_later(Now now) {
  const Duration pause = std::min(kLongestRetryPause, kFirstRetryPause * (1 << std::min(retries_++, 10)));
  // Between half and one and a half of it, or all workers of a cluster would come at once.
  next_try_ = now.mono + pause / 2 + Duration(int64_t(random_.below(uint64_t(pause.count()))));
}

void Session::close() {
  drop_channel();
  stage_ = Stage::kClosed;
}

void Session::fall_silent() {
  auto connection = std::move(channel_);
  drop_channel();
  channel_ = std::move(connection);
  stage_ = Stage::kClosed;
}

void Session::break_off(std::string why) {
  broken_ = std::move(why);
}

// --- talking --------------------------------------------------------------------------------------------

std::optional<Session::Notice> Session::receive(Now now) {
  while (auto frame = channel_->receive()) {
    auto decoded = decode_to_worker(*frame);
    if (!decoded) {
      log::error("The server sent a message that can't be read: " + decoded.error().full_text());
      return ended("The server sent a message that can't be read", now);
    }
    auto& message = decoded->message;
    if (const auto* refused = std::get_if<msg::Refused>(&message)) {
      const std::string why = refused->reason;
      drop_channel();
      stage_ = Stage::kClosed;
      return GaveUp{Error(why)};
    }
    if (std::holds_alternative<msg::HelloPlease>(message)) {
      return ended("The server asks for a new hello", now, true);
    }
    if (auto notice = on_message(decoded->session, std::move(message))) return notice;
  }
  return std::nullopt;
}

// Of another session, or out of turn: dropped, because the new hello has told all there is to know.
std::optional<Session::Notice> Session::on_message(SessionId session, msg::ToWorker message) {
  if (auto* welcome = std::get_if<msg::Welcome>(&message)) {
    if (stage_ != Stage::kGreeting || session == SessionId{}) return std::nullopt;
    stage_ = Stage::kWelcomed;
    number_ = session;
    registered_ = true;
    retries_ = 0;
    resumable_ = welcome->resumable;
    window_ = welcome->window;
    next_beat_ = stage_since_;  // at once: it tells the server that the welcome has arrived
    extend_lease(stage_since_);
    return message;
  }
  if (stage_ != Stage::kWelcomed || session != number_) return std::nullopt;
  const auto* beat = std::get_if<msg::HeartbeatAck>(&message);
  if (beat == nullptr) return message;
  while (!unanswered_.empty() && unanswered_.front().counter <= beat->counter) {
    if (unanswered_.front().counter == beat->counter) extend_lease(unanswered_.front().at);
    unanswered_.pop_front();
  }
  return message;
}

void Session::extend_lease(TimePoint sent) {
  const TimePoint until = sent + window_;
  lease_ = lease_ ? std::max(*lease_, until) : until;
}

void Session::greet(const std::vector<msg::Hello>& pages, Now now) {
  HQ_ASSERT(stage_ == Stage::kGreeting && !pages.empty());
  stage_since_ = now.mono;  // what the welcome answers was sent at this moment
  for (const msg::Hello& page : pages) outbox_.push_back(encode(SessionId{}, msg::FromWorker(page)));
  flush();
}

void Session::send(const msg::FromWorker& message) {
  HQ_ASSERT(welcomed());
  outbox_.push_back(encode(number_, message));
}

void Session::on_timer(Now now) {
  if (!welcomed() || now.mono < next_beat_) return;
  send(msg::Heartbeat{++beats_});
  unanswered_.push_back({beats_, now.mono});
  next_beat_ = now.mono + until_next_beat(now.wall, heartbeat_);
}

void Session::flush() {
  while (channel_ && !outbox_.empty()) {
    const SendStatus status = channel_->send(outbox_.front());
    if (status == SendStatus::kFull) return;
    if (status == SendStatus::kGone) {
      broken_ = "The connection to the server is gone";
      return;
    }
    outbox_.pop_front();
  }
}

std::optional<TimePoint> Session::next_deadline() const {
  switch (stage_) {
    case Stage::kClosed:
      return std::nullopt;
    case Stage::kIdle:
      return next_try_;
    case Stage::kConnecting:
    case Stage::kGreeting:
      return broken_ ? TimePoint::min() : stage_since_ + kAnswerTimeout;
    case Stage::kWelcomed:
      break;
  }
  if (broken_) return TimePoint::min();
  TimePoint deadline = next_beat_;
  if (resumable_ && !unanswered_.empty()) {
    deadline = std::min(deadline, unanswered_.front().at + 2 * heartbeat_);
  }
  return deadline;
}

}  // namespace hq
