#include "hq/client/client.h"

#include <utility>

namespace hq {

namespace {

constexpr int kFramesAtOnce = 256;
constexpr size_t kUnsentAhead = 4;  // messages of a request that its sender need not wait for

}  // namespace

Client::Client(ClientPorts ports, ExplainFailure explain, std::unique_ptr<DealerChannel> channel)
    : ports_(ports), explain_(std::move(explain)), channel_(std::move(channel)) {}

Result<Client> Client::connect(ClientPorts ports, ExplainFailure explain) {
  auto channel = ports.connector.connect();
  if (!channel) return channel.error();
  return Client(ports, std::move(explain), std::move(*channel));
}

RequestId Client::send(const msg::ClientRequest& request) {
  const RequestId id = begin();
  send_last(id, request);
  return id;
}

RequestId Client::begin() {
  const RequestId id(next_request_++);
  answers_[id];
  return id;
}

void Client::send_last(RequestId request, const msg::ClientRequest& message) {
  unsent_.push_back(encode(request, message));
}

Result<void> Client::send_ahead(RequestId request, const msg::ClientRequest& message) {
  unsent_.push_back(encode(request, message));
  send_unsent();
  while (unsent_.size() > kUnsentAhead) {
    if (auto pumped = pump(ports_.clock.now().mono + 1ms); !pumped) return pumped;
    if (answers_[request].empty()) continue;
    if (auto reply = next(request); !reply) return reply.error();
    return Error("The server answered before the request was complete");
  }
  return {};
}

void Client::send_unsent() {
  while (!unsent_.empty() && channel_->send_away(unsent_.front()) == SendStatus::kSent) unsent_.pop_front();
}

// Sends what can be sent and waits until something came in, or the deadline.
Result<void> Client::pump(std::optional<TimePoint> deadline) {
  while (true) {
    send_unsent();
    bool got = false;
    // A fair share: who is told more than that at a time works it off first.
    for (int n = 0; n < kFramesAtOnce; ++n) {
      auto frame = channel_->receive();
      if (!frame) break;
      auto reply = decode_reply(*frame);
      if (!reply) return Error("The server's answer cannot be read: " + reply.error().message);
      was_open_ = true;
      auto wanted = answers_.find(reply->id);
      if (wanted != answers_.end()) wanted->second.push_back(std::move(reply->message));
      got = true;
    }
    if (got) return {};
    const DealerChannel::State state = channel_->state();
    was_open_ |= state == DealerChannel::State::kOpen;
    if (state == DealerChannel::State::kRefused || state == DealerChannel::State::kClosed) {
      lost_ = true;
      return explain_({state == DealerChannel::State::kRefused, channel_->failure(), was_open_});
    }
    if (deadline && *deadline <= ports_.clock.now().mono) return {};
    // What could not be sent now is tried again soon: a full socket does not wake us.
    std::optional<TimePoint> wake = deadline;
    if (!unsent_.empty()) {
      const TimePoint soon = ports_.clock.now().mono + 1ms;
      wake = wake ? std::min(*wake, soon) : soon;
    }
    ports_.reactor.wait(wake);
  }
}

Result<void> Client::stay_until(TimePoint deadline) {
  while (ports_.clock.now().mono < deadline) {
    if (auto pumped = pump(deadline); !pumped) return pumped;
  }
  return {};
}

Result<std::optional<msg::ClientReply>> Client::next_until(RequestId request,
                                                           std::optional<TimePoint> deadline) {
  while (answers_[request].empty()) {
    if (deadline && *deadline <= ports_.clock.now().mono) return std::optional<msg::ClientReply>();
    if (auto pumped = pump(deadline); !pumped) return pumped.error();
  }
  msg::ClientReply reply = std::move(answers_[request].front());
  answers_[request].pop_front();
  if (auto* failed = std::get_if<msg::Failed>(&reply)) return Error(std::move(failed->message));
  return std::optional(std::move(reply));
}

Result<msg::ClientReply> Client::next(RequestId request) {
  auto reply = next_until(request, std::nullopt);
  if (!reply) return reply.error();
  return std::move(**reply);
}

Result<void> Client::call_each(const msg::ClientRequest& request,
                               const std::function<Result<void>(msg::ClientReply&&)>& on_reply) {
  const RequestId id = send(request);
  while (true) {
    auto reply = next(id);
    if (!reply) return reply.error();
    if (std::holds_alternative<msg::End>(*reply)) {
      answers_.erase(id);
      return {};
    }
    if (auto handled = on_reply(std::move(*reply)); !handled) return handled;
  }
}

}  // namespace hq
