// Which key may speak to which router (docs/security.md): a ZAP 1.0 handler in a thread of its own, so that a
// handshake never waits for the program's loop. It knows one admitted key per domain, a domain being one
// router, and answers 200 or 400; after other codes libzmq's peers neither learn why nor stop trying.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>
#include <zmq.hpp>

#include "hq/base/clock.h"
#include "hq/base/result.h"
#include "hq/transport/keys.h"

namespace hq {

// Turns many alike refusals into few texts: one per (kind, address or key) and minute.
class RefusalLog {
 public:
  void note(const std::string& text, TimePoint now);
  std::vector<std::string> take();

 private:
  std::map<std::string, TimePoint> last_;  // bounded
  std::vector<std::string> texts_;         // bounded
};

class ZapHandler {
 public:
  // Starts the thread. REQUIRES: `context` is shut down before the handler is destroyed, closed after.
  static Result<std::unique_ptr<ZapHandler>> start(zmq::context_t& context);
  ~ZapHandler();
  void admit(const std::string& domain, const PublicKey& key);
  void remove(const std::string& domain);
  std::vector<std::string> take_refusals(const std::string& domain);

 private:
  struct Domain {
    PublicKey admitted;
    RefusalLog refusals;
  };
  explicit ZapHandler(zmq::socket_t socket) : socket_(std::move(socket)) {}
  void run();
  bool admits(const std::vector<zmq::message_t>& request);

  zmq::socket_t socket_;  // the thread's, once that runs
  std::mutex mutex_;      // guards domains_
  std::map<std::string, Domain> domains_;
  std::thread thread_;
};

}  // namespace hq
