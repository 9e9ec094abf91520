#include "worker/output_session.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "hq/base/log.h"

namespace hq {

namespace {

constexpr Duration kFirstPause = 50ms;
constexpr int kMostDoublings = 6;
constexpr Duration kRetryPacket = 20ms;
constexpr int kPacketsPerTurn = 64;  // packets in one turn

}  // namespace

bool OutputSession::turn(SessionId session, WorkerUid worker, Now now) {
  if (session != session_) {
    drop(now);
    next_try_.reset();
    failures_ = 0;
    session_ = session;
  }
  if (session_ == SessionId{}) return false;
  if (stage_ == Stage::kClosed && output_.has_packets() && (!next_try_ || *next_try_ <= now.mono))
    connect(now);
  if (stage_ == Stage::kConnecting) {
    const auto state = channel_->state();
    if (state == DealerChannel::State::kOpen) {
      stage_ = Stage::kGreeting;
      send(msg::OutputHello{worker, ++hellos_}, now);
    } else if (state != DealerChannel::State::kConnecting) {
      drop(now);
    }
  }
  bool more = false;
  flush(now);
  if (channel_ && stage_ != Stage::kConnecting) more = receive(now);
  if (stage_ == Stage::kOpen) more = send_packets(now) || more;
  if (channel_ && channel_->state() != DealerChannel::State::kOpen && stage_ != Stage::kConnecting) drop(now);
  return more;
}

void OutputSession::connect(Now now) {
  auto channel = connector_.connect();
  if (!channel) {
    log::debug("No connection for output: " + channel.error().full_text());
    return drop(now);
  }
  channel_ = *std::move(channel);
  stage_ = Stage::kConnecting;
}

bool OutputSession::receive(Now now) {
  for (int n = 0; n < kPacketsPerTurn && channel_; ++n) {
    auto frame = channel_->receive();
    if (!frame) return false;
    auto decoded = decode_to_worker(*frame);
    if (!decoded) {
      log::error("The server sent a message that can't be read: " + decoded.error().full_text());
      drop(now);
      return false;
    }
    on_message(decoded->message, now);
  }
  return channel_ != nullptr;
}

void OutputSession::on_message(const msg::ToWorker& message, Now now) {
  if (const auto* welcome = std::get_if<msg::OutputWelcome>(&message)) {
    if (stage_ != Stage::kGreeting) return;
    stage_ = Stage::kOpen;
    failures_ = 0;
    output_.set_window(welcome->window);
    output_.on_resumed(welcome->last, welcome->pending);
  } else if (const auto* kept = std::get_if<msg::OutputKept>(&message)) {
    std::vector<PacketFailure> failures;
    for (const msg::OutputFailure& failure : kept->failures) {
      failures.push_back({failure.task, failure.instance, failure.why});
    }
    output_.set_window(kept->window);
    output_.on_kept(kept->number, failures);
  } else if (std::holds_alternative<msg::HelloPlease>(message)) {
    drop(now);
  }
}

bool OutputSession::send_packets(Now now) {
  flush(now);
  for (int n = 0; n < kPacketsPerTurn && channel_ && !unsent_; ++n) {
    auto packet = output_.next_packet();
    if (!packet) return false;
    send(msg::OutputData{packet->number, packet->place.job, packet->place.job_uid, packet->place.log_path,
                         std::move(packet->records)},
         now);
  }
  return channel_ && !unsent_;
}

void OutputSession::send(const msg::FromWorker& message, Now now) {
  unsent_ = encode(session_, message);
  flush(now);
}

void OutputSession::flush(Now now) {
  if (!channel_ || !unsent_) return;
  const SendStatus status = channel_->send(*unsent_);
  if (status == SendStatus::kSent) unsent_.reset();
  if (status == SendStatus::kFull) next_try_ = now.mono + kRetryPacket;
  if (status == SendStatus::kGone) drop(now);
}

void OutputSession::drop(Now now) {
  channel_.reset();
  unsent_.reset();
  stage_ = Stage::kClosed;
  const Duration pause = kFirstPause * (1 << std::min(failures_++, kMostDoublings));
  next_try_ = now.mono + pause + Duration(int64_t(random_.below(uint64_t(pause.count()))));
}

std::optional<TimePoint> OutputSession::next_deadline() const {
  if (session_ == SessionId{}) return std::nullopt;
  const bool waits = unsent_ || (stage_ == Stage::kClosed && output_.has_packets());
  return waits ? next_try_ : std::nullopt;
}

}  // namespace hq
