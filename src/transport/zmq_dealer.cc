#include "transport/zmq_dealer.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "hq/base/assert.h"

namespace hq {

namespace {

// How long addresses beside the host name may take to answer once that has failed.
constexpr Duration kHurry = 2s;

constexpr Duration kSecondTime = 150ms;
constexpr size_t kLargeFrame = size_t{1} << 20;  // from here on a copy costs more than an owner of its own

bool is_this_host(const std::string& host) {
  char name[256] = "";
  return ::gethostname(name, sizeof name - 1) == 0 && host == name;
}

}  // namespace

ZmqDealer::ZmqDealer(ZmqShared& shared, RoleAccess access, const std::vector<std::string>& addresses,
                     const Settings& settings)
    : shared_(shared),
      access_(std::move(access)),
      settings_(settings),
      started_(mono_now()),
      next_start_(started_) {
  shared_.reactor.add(*this);
  ++shared_.channels;
  if (access_.secret_key_unusable) {
    finish(Phase::kClosed, "Creating sealer failed");
    return;
  }
  for (Endpoint& endpoint : numeric_endpoints(access_.host, access_.port)) {
    host_endpoints_.push_back(std::move(endpoint));
  }
  if (host_endpoints_.empty()) {
    Result<Lookup> lookup = Lookup::start(access_.host, access_.port);
    if (lookup) {
      lookup_ = std::move(*lookup);
    } else {
      note_failure(lookup.error().message);
    }
  }
  for (const std::string& address : addresses) {
    for (Endpoint& endpoint : numeric_endpoints(address, access_.port)) other_endpoints_.push_back(endpoint);
  }
  // The name of a machine may lead nowhere on the machine itself (no network, a stale /etc/hosts).
  if (is_this_host(access_.host)) {
    for (Endpoint& endpoint : numeric_endpoints("127.0.0.1", access_.port)) {
      other_endpoints_.push_back(endpoint);
    }
  }
  drive(started_);
}

ZmqDealer::~ZmqDealer() {
  shared_.reactor.remove(*this);
  --shared_.channels;
}

DealerChannel::State ZmqDealer::state() {
  drive(mono_now());
  switch (phase_) {
    case Phase::kConnecting:
      return State::kConnecting;
    case Phase::kOpen:
    case Phase::kEnding:
      return State::kOpen;
    case Phase::kRefused:
      return State::kRefused;
    case Phase::kClosed:
      break;
  }
  return State::kClosed;
}

std::optional<Bytes> ZmqDealer::receive() {
  // Only when there is nothing does it matter whether the connection has come or gone.
  std::optional<Bytes> frame = receive_now();
  if (frame) return frame;
  drive(mono_now());
  return receive_now();
}

std::optional<Bytes> ZmqDealer::receive_now() {
  if (!winner_) return std::nullopt;
  for (int tries = 0; tries < 64; ++tries) {
    zmq::message_t frame;
    if (!receive_part(winner_->socket(), frame)) return std::nullopt;
    bool whole = !frame.more();
    zmq::message_t rest;
    while (frame.more() && receive_part(winner_->socket(), rest) && rest.more()) {
    }
    if (!whole || frame.size() == 0 || frame.size() > settings_.limits.max_frame_bytes) continue;
    return Bytes(static_cast<const char*>(frame.data()), frame.size());
  }
  return std::nullopt;
}

SendStatus ZmqDealer::send(BytesView frame) {
  HQ_ASSERT(frame.size() <= settings_.limits.max_frame_bytes);
  // An open connection shows its end to state(), receive() and the wait; each send need not look for it.
  if (phase_ == Phase::kConnecting) drive(mono_now());
  if (phase_ != Phase::kConnecting && phase_ != Phase::kOpen) return SendStatus::kGone;
  if (phase_ == Phase::kOpen && flush_pending()) {
    if (send_part(winner_->socket(), frame.data(), frame.size(), false) == 0) {
      retry_.note_sent();
      return SendStatus::kSent;
    }
  } else if (pending_.size() < static_cast<size_t>(settings_.limits.send_queue)) {
    pending_.emplace_back(frame);
    return SendStatus::kSent;
  }
  retry_.note_full();
  return SendStatus::kFull;
}

SendStatus ZmqDealer::send_away(Bytes& frame) {
  HQ_ASSERT(frame.size() <= settings_.limits.max_frame_bytes);
  if (frame.size() < kLargeFrame) return send(frame);
  if (phase_ == Phase::kConnecting) drive(mono_now());
  if (phase_ == Phase::kConnecting && pending_.size() < static_cast<size_t>(settings_.limits.send_queue)) {
    pending_.push_back(std::move(frame));
    return SendStatus::kSent;
  }
  if (phase_ != Phase::kConnecting && phase_ != Phase::kOpen) return SendStatus::kGone;
  if (phase_ == Phase::kOpen && flush_pending() && send_frame(frame) == 0) {
    retry_.note_sent();
    return SendStatus::kSent;
  }
  retry_.note_full();
  return SendStatus::kFull;
}

int ZmqDealer::send_frame(Bytes& frame) {
  if (frame.size() >= kLargeFrame) return send_owned(winner_->socket(), frame);
  return send_part(winner_->socket(), frame.data(), frame.size(), false);
}

// True: nothing is left that would have to go first.
bool ZmqDealer::flush_pending() {
  while (!pending_.empty()) {
    if (send_frame(pending_.front()) != 0) return false;
    pending_.pop_front();
  }
  return true;
}

void ZmqDealer::set_linger(Duration linger) {
  drive(mono_now());
  if (phase_ != Phase::kOpen) return;  // nobody there to take the frames
  (void)flush_pending();
  winner_->socket().set(zmq::sockopt::linger, milliseconds_up(linger));
}

bool ZmqDealer::input_waits() {
  return winner_ && has_input(winner_->socket());
}

void ZmqDealer::drive(TimePoint now) {
  if (phase_ == Phase::kConnecting) drive_connecting(now);
  if (phase_ == Phase::kOpen) {
    if (winner_->poll(now) == ZmqAttempt::State::kEnded) phase_ = Phase::kEnding;
    if (!pending_.empty()) (void)flush_pending();
  }
  // Closed only when what came before the end has been read.
  if (phase_ == Phase::kEnding && !input_waits()) finish(Phase::kClosed, winner_->failure());
}

void ZmqDealer::drive_connecting(TimePoint now) {
  take_lookup();
  poll_attempts(now);
  if (phase_ != Phase::kConnecting) return tries_.clear();
  if (now - started_ >= settings_.timeout) return time_out();
  start_attempts(now);
  give_up_slow(now);
  if (!tries_.empty() || lookup_ || !host_endpoints_.empty() || !other_endpoints_.empty()) return;
  if (!refusal_.empty()) return finish(Phase::kRefused, refusal_);
  finish(Phase::kClosed, first_failure_);
}

void ZmqDealer::time_out() {
  tries_.clear();
  finish(Phase::kClosed, os_error_text(ETIMEDOUT));
}

void ZmqDealer::take_lookup() {
  if (!lookup_) return;
  std::optional<Lookup::Found> found = lookup_->take();
  if (!found) return;
  lookup_.reset();
  if (!*found) return note_failure(found->error().message);
  host_endpoints_.assign((*found)->begin(), (*found)->end());
  // The same address is not tried twice.
  for (const Endpoint& endpoint : host_endpoints_) {
    std::erase_if(other_endpoints_, [&](const Endpoint& other) { return other.text == endpoint.text; });
  }
}

void ZmqDealer::poll_attempts(TimePoint now) {
  for (size_t i = 0; i < tries_.size();) {
    bool goes_on = poll_try(tries_[i], now);
    if (phase_ != Phase::kConnecting) return;
    if (goes_on) {
      ++i;
      continue;
    }
    host_attempts_ -= tries_[i].of_host ? 1 : 0;
    tries_.erase(tries_.begin() + static_cast<ptrdiff_t>(i));
  }
}

// False: it is over for this address. May end the connecting as a whole.
bool ZmqDealer::poll_try(Try& entry, TimePoint now) {
  if (!entry.attempt && now >= *entry.second_start) begin(entry, now);
  if (!entry.attempt) return true;
  ZmqAttempt& attempt = *entry.attempt;
  switch (attempt.poll(now)) {
    case ZmqAttempt::State::kConnecting:
    case ZmqAttempt::State::kHandshake:
    case ZmqAttempt::State::kProbing:
      return true;
    case ZmqAttempt::State::kOpen:
    case ZmqAttempt::State::kEnded:
      adopt(std::move(entry.attempt));
      return true;
    case ZmqAttempt::State::kSuspect:
      // A server that was just ending or starting must not look like one with another key.
      if (!entry.second_start) {
        entry.second_start = now + kSecondTime;
        entry.attempt.reset();
        return true;
      }
      break;
    case ZmqAttempt::State::kRefused:
      if (attempt.final()) {
        finish(Phase::kRefused, attempt.failure());
        return true;
      }
      break;
    case ZmqAttempt::State::kFailed:
      note_failure(attempt.failure());
      return false;
  }
  if (refusal_.empty()) refusal_ = attempt.failure();
  note_failure(attempt.failure());
  return false;
}

// Whether the rest is started without pauses, because nothing is to be had under the host's name.
bool ZmqDealer::hurry(TimePoint now) {
  bool host_failed = !lookup_ && host_endpoints_.empty() && host_attempts_ == 0;
  if (host_failed && !hurry_until_) hurry_until_ = now + kHurry;
  return host_failed;
}

void ZmqDealer::start_attempts(TimePoint now) {
  // While the name is being looked up the numeric addresses wait for their turn as usual.
  if (lookup_ && next_start_ == started_) next_start_ = started_ + settings_.stagger;
  while (now >= next_start_ || (tries_.empty() && !lookup_) || hurry(now) || !host_endpoints_.empty()) {
    bool of_host = !host_endpoints_.empty();
    if (of_host && host_attempts_ > 0 && now < next_start_) return;
    std::deque<Endpoint>& from = of_host ? host_endpoints_ : other_endpoints_;
    if (from.empty()) return;
    Endpoint endpoint = std::move(from.front());
    from.pop_front();
    next_start_ = now + settings_.stagger;
    Try& entry = tries_.emplace_back(Try{std::move(endpoint), of_host, nullptr, std::nullopt, now});
    host_attempts_ += of_host ? 1 : 0;
    begin(entry, now);
  }
}

void ZmqDealer::begin(Try& entry, TimePoint now) {
  entry.begun = now;
  Duration left = std::max<Duration>(settings_.timeout - (now - started_), 1ms);
  try {
    entry.attempt =
        std::make_unique<ZmqAttempt>(shared_, entry.endpoint, access_, settings_.limits, left, now);
  } catch (const zmq::error_t& error) {
    // Out of descriptors, most likely: once more, later.
    note_failure(zmq_failure("Cannot create a socket", error).message);
    entry.second_start = now + kSecondTime;
  }
}

// When this one has had its time; one that waits for its second start has not begun.
std::optional<TimePoint> ZmqDealer::slow_from(const Try& entry) const {
  if (!hurry_until_ || !entry.attempt || entry.attempt->state() != ZmqAttempt::State::kConnecting)
    return std::nullopt;
  return std::max(*hurry_until_, entry.begun + kHurry);
}

void ZmqDealer::give_up_slow(TimePoint now) {
  std::erase_if(tries_, [&](const Try& entry) {
    const auto at = slow_from(entry);
    return at && now >= *at;
  });
}

// The other tries are dropped by the caller of the loop over them.
void ZmqDealer::adopt(std::unique_ptr<ZmqAttempt> attempt) {
  winner_ = std::move(attempt);
  lookup_.reset();
  host_endpoints_.clear();
  other_endpoints_.clear();
  phase_ = Phase::kOpen;
  notice_ = true;
  (void)flush_pending();
}

void ZmqDealer::note_failure(const std::string& text) {
  if (first_failure_.empty()) first_failure_ = text;
}

void ZmqDealer::finish(Phase phase, std::string failure) {
  phase_ = phase;
  failure_ = std::move(failure);
  pending_.clear();
  lookup_.reset();
  notice_ = true;
}

bool ZmqDealer::prepare_wait(TimePoint now) {
  drive(now);
  bool retry = retry_.due(now);
  bool notice = std::exchange(notice_, false);
  return input_waits() || notice || retry;
}

void ZmqDealer::add_polls(std::vector<pollfd>& polls) const {
  if (lookup_) polls.push_back({lookup_->fd(), POLLIN, 0});
  for (const Try& entry : tries_) {
    if (entry.attempt) entry.attempt->add_polls(polls);
  }
  if (winner_ && phase_ != Phase::kClosed) winner_->add_polls(polls);
}

std::optional<TimePoint> ZmqDealer::wait_deadline() const {
  std::optional<TimePoint> at = retry_.deadline();
  auto consider = [&at](std::optional<TimePoint> other) {
    if (other && (!at || *other < *at)) at = other;
  };
  if (phase_ != Phase::kConnecting) return at;
  consider(started_ + settings_.timeout);
  if (!host_endpoints_.empty() || !other_endpoints_.empty()) consider(next_start_);
  for (const Try& entry : tries_) {
    consider(entry.attempt ? entry.attempt->deadline() : entry.second_start);
    consider(slow_from(entry));
  }
  return at;
}

Result<std::unique_ptr<DealerChannel>> ZmqConnector::connect() {
  Result<AccessRecord> record = options_.load();
  if (!record) return record.error();
  const std::optional<RoleAccess>& part = record->part(options_.role);
  if (!part) return Error(std::string("The access record has no part for a ") + role_name(options_.role));
  ZmqDealer::Settings settings{options_.limits, options_.stagger, options_.timeout};
  return std::unique_ptr<DealerChannel>(
      std::make_unique<ZmqDealer>(shared_, *part, record->addresses, settings));
}

void close_with_linger(std::unique_ptr<DealerChannel> channel, Duration linger) {
  auto* dealer = dynamic_cast<ZmqDealer*>(channel.get());
  HQ_ASSERT(dealer != nullptr);
  dealer->set_linger(linger);
}

}  // namespace hq
