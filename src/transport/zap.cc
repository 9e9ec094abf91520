#include "transport/zap.h"

#include <cstring>

#include "hq/base/assert.h"
#include "hq/base/signals_blocked.h"
#include "transport/zmq_context.h"

namespace hq {

namespace {

constexpr size_t kMostTexts = 8;
constexpr size_t kMostRemembered = 256;
// Parts of a request: version, request id, domain, address, routing id, mechanism, credentials.
constexpr size_t kVersion = 0, kRequestId = 1, kDomain = 2, kAddress = 3, kMechanism = 5, kCredentials = 6;

// All parts of the next request; nothing when the context has ended.
std::vector<zmq::message_t> next_request(zmq::socket_t& socket) {
  std::vector<zmq::message_t> parts;
  do {
    zmq::message_t part;
    int rc = -1;
    do {
      rc = zmq_msg_recv(part.handle(), socket.handle(), 0);
    } while (rc < 0 && zmq_errno() == EINTR);
    if (rc < 0) return {};
    parts.push_back(std::move(part));
  } while (parts.back().more());
  return parts;
}

void send_reply(zmq::socket_t& socket, const zmq::message_t& request_id, bool admitted) {
  const std::string_view parts[] = {"1.0",
                                    {static_cast<const char*>(request_id.data()), request_id.size()},
                                    admitted ? "200" : "400",
                                    admitted ? "OK" : "Cannot verify challenge",
                                    "",
                                    ""};
  for (size_t i = 0; i < 6; ++i) {
    int flags = i < 5 ? ZMQ_SNDMORE : 0;
    while (zmq_send(socket.handle(), parts[i].data(), parts[i].size(), flags) < 0 && zmq_errno() == EINTR) {
    }
  }
}

}  // namespace

void RefusalLog::note(const std::string& text, TimePoint now) {
  std::erase_if(last_, [now](const auto& entry) { return now - entry.second >= 60s; });
  // Full: a flood of ever new keys. It is not worth more lines.
  if (last_.size() >= kMostRemembered || !last_.emplace(text, now).second) return;
  if (texts_.size() < kMostTexts) texts_.push_back(text);
}

std::vector<std::string> RefusalLog::take() {
  return std::exchange(texts_, {});
}

Result<std::unique_ptr<ZapHandler>> ZapHandler::start(zmq::context_t& context) {
  try {
    zmq::socket_t socket(context, zmq::socket_type::rep);
    socket.set(zmq::sockopt::linger, 0);
    socket.bind("inproc://zeromq.zap.01");
    std::unique_ptr<ZapHandler> handler(new ZapHandler(std::move(socket)));
    // Signals are for the thread that handles them.
    const SignalsBlocked blocked;
    handler->thread_ = std::thread([raw = handler.get()] { raw->run(); });
    return handler;
  } catch (const zmq::error_t& error) {
    return zmq_failure("Cannot start the handler of keys", error);
  }
}

ZapHandler::~ZapHandler() {
  if (thread_.joinable()) thread_.join();
}

void ZapHandler::admit(const std::string& domain, const PublicKey& key) {
  std::lock_guard lock(mutex_);
  domains_[domain].admitted = key;
}

void ZapHandler::remove(const std::string& domain) {
  std::lock_guard lock(mutex_);
  domains_.erase(domain);
}

std::vector<std::string> ZapHandler::take_refusals(const std::string& domain) {
  std::lock_guard lock(mutex_);
  auto it = domains_.find(domain);
  return it == domains_.end() ? std::vector<std::string>() : it->second.refusals.take();
}

bool ZapHandler::admits(const std::vector<zmq::message_t>& request) {
  if (request.size() != kCredentials + 1 || request[kVersion].to_string_view() != "1.0" ||
      request[kMechanism].to_string_view() != "CURVE" || request[kCredentials].size() != kKeyBytes) {
    return false;
  }
  PublicKey key;
  std::memcpy(key.bytes.data(), request[kCredentials].data(), kKeyBytes);
  std::lock_guard lock(mutex_);
  auto it = domains_.find(request[kDomain].to_string());
  if (it == domains_.end()) return false;
  if (it->second.admitted == key) return true;
  it->second.refusals.note("Cannot verify challenge: " + request[kAddress].to_string() +
                               " has another key (public part " + key.hex().substr(0, 16) + "...)",
                           mono_now());
  return false;
}

void ZapHandler::run() {
  while (true) {
    std::vector<zmq::message_t> request = next_request(socket_);
    if (request.empty()) break;
    HQ_ASSERT(request.size() > kRequestId);  // requests come from libzmq alone
    send_reply(socket_, request[kRequestId], admits(request));
  }
  socket_.close();
}

}  // namespace hq
