// The numeric addresses under which peers may reach this machine.
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include <algorithm>

#include "hq/transport/access.h"

namespace hq {

namespace {

std::string numeric_text(const sockaddr& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.sa_family == AF_INET) {
    const auto& in = reinterpret_cast<const sockaddr_in&>(address);
    if (ntohl(in.sin_addr.s_addr) >> 16 == 0xa9fe) return "";  // 169.254/16 is link-local
    inet_ntop(AF_INET, &in.sin_addr, text, sizeof text);
  } else if (address.sa_family == AF_INET6) {
    const auto& in6 = reinterpret_cast<const sockaddr_in6&>(address);
    if (IN6_IS_ADDR_LINKLOCAL(&in6.sin6_addr)) return "";
    inet_ntop(AF_INET6, &in6.sin6_addr, text, sizeof text);
  }
  return text;
}

}  // namespace

std::vector<std::string> usable_addresses(const std::string& interface) {
  std::vector<std::string> found;
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return found;  // then peers have the host name alone
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr || (entry->ifa_flags & IFF_UP) == 0) continue;
    bool loopback = (entry->ifa_flags & IFF_LOOPBACK) != 0;
    if (interface.empty() ? loopback : interface != entry->ifa_name) continue;
    std::string text = numeric_text(*entry->ifa_addr);
    if (!text.empty() && std::find(found.begin(), found.end(), text) == found.end()) found.push_back(text);
  }
  freeifaddrs(list);
  std::stable_partition(found.begin(), found.end(),
                        [](const std::string& text) { return text.find(':') == std::string::npos; });
  return found;
}

}  // namespace hq
