#include <doctest/doctest.h>

#include "cli/commands/hostfile.h"

namespace hq::cli {
namespace {

std::string refusal(std::string_view text) {
  auto hosts = parse_hostfile(text);
  return hosts ? "accepted" : hosts.error().message;
}

TEST_CASE("a hostfile names a machine per line, with blanks around it and maybe a port") {
  auto hosts = parse_hostfile("n1\n  n2:2222 \r\n\nu@n3");

  REQUIRE(hosts);
  CHECK(*hosts == std::vector<SshHost>{{"n1", {}}, {"n2", uint16_t{2222}}, {"u@n3", {}}});
  CHECK((*hosts)[1].text() == "n2:2222");
}

TEST_CASE("a name with several colons is an address") {
  auto hosts = parse_hostfile("fe80::1\n[::1]:22\n[::2]\n");

  REQUIRE(hosts);
  CHECK(*hosts == std::vector<SshHost>{{"fe80::1", {}}, {"::1", uint16_t{22}}, {"::2", {}}});
}

TEST_CASE("a hostfile without hosts is refused") {
  CHECK(refusal("") == "The provided hostname is empty");
  CHECK(refusal(" \n\n") == "The provided hostname is empty");
  CHECK(refusal(":22") == "The provided hostname is empty");
}

TEST_CASE("a port that is none is refused with its line") {
  CHECK(refusal("h1:xx").starts_with("Cannot parse port from h1:xx: "));
  CHECK(refusal("h1:").starts_with("Cannot parse port from h1:: "));
  CHECK(refusal("h1:70000") == "Cannot parse port from h1:70000: 70000 is not in 0..=65535");
}

TEST_CASE("a line can't smuggle in an option of ssh") {
  CHECK(refusal("-oProxyCommand=x") == "Invalid hostname -oProxyCommand=x");
}

TEST_CASE("ssh gets the host, its port and the words of worker start") {
  CHECK(ssh_command({"n2", uint16_t{2222}}, "/opt/hq", {"--cpus=2", "--group", "g 1"}) ==
        std::vector<std::string>{"ssh", "n2", "-t", "-t", "-p", "2222", "--", "/opt/hq", "worker", "start",
                                 "--cpus=2", "--group", "g 1"});
  CHECK(ssh_command({"n1", {}}, "/opt/hq", {}) ==
        std::vector<std::string>{"ssh", "n1", "-t", "-t", "--", "/opt/hq", "worker", "start"});
}

}  // namespace
}  // namespace hq::cli
