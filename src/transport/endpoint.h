// A numeric address to connect to.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>

namespace hq {

struct Endpoint {
  sockaddr_storage address{};
  socklen_t length = 0;
  std::string text;  // "10.0.0.1:4242", "[::1]:4242"
};

}  // namespace hq
