#include "transport/resolver.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/eventfd.h>

#include <cerrno>
#include <cstring>
#include <mutex>
#include <thread>

#include "hq/base/signals_blocked.h"
#include "hq/transport/channel.h"

namespace hq {

namespace {

std::string endpoint_text(const addrinfo& info) {
  char host[NI_MAXHOST];
  char port[NI_MAXSERV];
  if (getnameinfo(info.ai_addr, info.ai_addrlen, host, sizeof host, port, sizeof port,
                  NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return "";
  }
  std::string name = info.ai_family == AF_INET6 ? "[" + std::string(host) + "]" : host;
  return name + ":" + port;
}

Lookup::Found resolve(const std::string& host, uint16_t port, int flags) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | flags;
  addrinfo* list = nullptr;
  int rc = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
  if (rc == EAI_SYSTEM) return os_error(errno);
  if (rc != 0) return Error(std::string(kLookupFailed) + ": " + gai_strerror(rc));
  std::vector<Endpoint> found;
  for (const addrinfo* info = list; info != nullptr; info = info->ai_next) {
    Endpoint endpoint;
    if (info->ai_addrlen > sizeof endpoint.address) continue;
    std::memcpy(&endpoint.address, info->ai_addr, info->ai_addrlen);
    endpoint.length = info->ai_addrlen;
    endpoint.text = endpoint_text(*info);
    if (!endpoint.text.empty()) found.push_back(std::move(endpoint));
  }
  freeaddrinfo(list);
  return found;
}

}  // namespace

struct Lookup::Shared {
  UniqueFd event;
  std::mutex mutex;  // guards found
  std::optional<Found> found;
};

std::vector<Endpoint> numeric_endpoints(const std::string& host, uint16_t port) {
  Lookup::Found found = resolve(host, port, AI_NUMERICHOST);
  return found ? std::move(*found) : std::vector<Endpoint>();
}

Result<Lookup> Lookup::start(const std::string& host, uint16_t port) {
  auto shared = std::make_shared<Shared>();
  shared->event = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!shared->event.valid()) return os_error(errno);
  // Signals are for the thread that handles them.
  const SignalsBlocked blocked;
  std::thread([shared, host, port] {
    Found found = resolve(host, port, 0);
    {
      std::lock_guard lock(shared->mutex);
      shared->found = std::move(found);
    }
    (void)::eventfd_write(shared->event.get(), 1);  // can't fail: the counter is 0
  }).detach();
  Lookup lookup;
  lookup.shared_ = std::move(shared);
  return lookup;
}

int Lookup::fd() const {
  return shared_->event.get();
}

std::optional<Lookup::Found> Lookup::take() {
  std::lock_guard lock(shared_->mutex);
  return std::exchange(shared_->found, std::nullopt);
}

}  // namespace hq
