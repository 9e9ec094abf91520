#include <doctest/doctest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstring>
#include <thread>

#include "hq/base/small_files.h"
#include "hq/base/unique_fd.h"
#include "hq/os/notice_socket.h"
#include "support/temp_dir.h"

using namespace hq;

namespace {

struct Listening {
  test::TempDir dir;
  std::unique_ptr<LocalNoticeSocket> socket;

  Listening() {
    auto made = open_local_notices(dir.path());
    REQUIRE(made);
    socket = std::move(*made);
  }
  LocalNotice heard() {
    while (true) {
      if (auto notice = socket->next()) return *notice;
      pollfd ready{socket->event_fd(), POLLIN, 0};
      REQUIRE(::poll(&ready, 1, 10'000) == 1);
      socket->take_in();
    }
  }
  [[nodiscard]] UniqueFd connect() const {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, socket->path().c_str(), sizeof address.sun_path - 1);
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    return fd;
  }
  // Until the other side has closed.
  static std::string all_from(int fd) {
    std::string all;
    char buffer[64];
    ssize_t got = 0;
    while ((got = ::recv(fd, buffer, sizeof buffer, 0)) > 0) all.append(buffer, size_t(got));
    return all;
  }
};

}  // namespace

TEST_CASE("a message arrives whole, and its sender waits until it is confirmed") {
  Listening w;
  const std::string text(kMostNoticeBytes, '\n');
  Result<void> said;
  std::thread sender([&] { said = say_notice(w.socket->path(), "hq1-abc", text); });

  const LocalNotice notice = w.heard();
  CHECK(notice.token == "hq1-abc");
  CHECK(notice.text == text);
  w.socket->confirm(notice.id);
  sender.join();
  CHECK(said.ok());
}

TEST_CASE("an empty message is one too") {
  Listening w;
  Result<void> said;
  std::thread sender([&] { said = say_notice(w.socket->path(), "t", ""); });

  const LocalNotice notice = w.heard();
  CHECK(notice.text.empty());
  w.socket->confirm(notice.id);
  sender.join();
  CHECK(said.ok());
}

TEST_CASE("who is refused sees the end of the stream") {
  Listening w;
  Result<void> said;
  std::thread sender([&] { said = say_notice(w.socket->path(), "wrong", "x"); });

  w.socket->refuse(w.heard().id);
  sender.join();
  REQUIRE_FALSE(said.ok());
  CHECK(said.error().message == "Unexpected end of stream");
}

TEST_CASE("a socket that is not there is an error of the system") {
  const auto said = say_notice("/nonexistent/socket", "t", "x");

  REQUIRE_FALSE(said.ok());
  CHECK(said.error().message == "IO error: No such file or directory (os error 2)");
}

TEST_CASE("only its owner may connect, and nothing is left of it") {
  Listening w;
  const std::string path = w.socket->path();
  struct stat info {};
  REQUIRE(::stat(path.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);

  w.socket.reset();
  CHECK(::stat(path.c_str(), &info) != 0);
}

TEST_CASE("a directory with a long name is no obstacle") {
  test::TempDir dir;
  const std::string deep = dir.path() + "/" + std::string(150, 'd');
  REQUIRE(::mkdir(deep.c_str(), 0700) == 0);

  auto socket = open_local_notices(deep);
  REQUIRE(socket);
  CHECK((*socket)->path().starts_with("/tmp/hq-lc-"));
}

TEST_CASE("what is no message ends its connection, and others are still heard") {
  Listening w;
  for (std::string bytes : {"no header\n", "token 2000\n", "token x\n", "token 1\nab", "token\n"}) {
    const UniqueFd fd = w.connect();
    REQUIRE(write_all(fd.get(), bytes));
    std::thread closing([&] { CHECK(Listening::all_from(fd.get()).empty()); });
    pollfd ready{w.socket->event_fd(), POLLIN, 0};
    while (::poll(&ready, 1, 100) == 1) w.socket->take_in();
    closing.join();
    CHECK_FALSE(w.socket->next());
  }
  std::thread sender([&] { CHECK(say_notice(w.socket->path(), "t", "x").ok()); });
  w.socket->confirm(w.heard().id);
  sender.join();
}

TEST_CASE("those who connect and say nothing keep nobody out") {
  Listening w;
  std::vector<UniqueFd> silent;
  for (int i = 0; i < 100; ++i) silent.push_back(w.connect());
  w.socket->take_in();
  for (int i = 0; i < 100; ++i) {
    silent.push_back(w.connect());
    w.socket->take_in();
  }

  std::thread sender([&] { CHECK(say_notice(w.socket->path(), "t", "x").ok()); });
  w.socket->confirm(w.heard().id);
  sender.join();
}

TEST_CASE("more than can be held wait outside until some are answered") {
  Listening w;
  std::vector<UniqueFd> speakers;
  const auto speak = [&](size_t count) {
    for (size_t i = 0; i < count; ++i) {
      speakers.push_back(w.connect());
      REQUIRE(write_all(speakers.back().get(), "t 1\nx"));
      w.socket->take_in();
      w.socket->take_in();
    }
  };
  speak(150);
  std::vector<LocalNotice> heard;
  pollfd ready{w.socket->event_fd(), POLLIN, 0};
  while (::poll(&ready, 1, 0) == 1) w.socket->take_in();
  while (auto notice = w.socket->next()) heard.push_back(*notice);
  CHECK(heard.size() == 128);

  for (const LocalNotice& notice : heard) w.socket->confirm(notice.id);
  for (int i = 0; i < 22; ++i) w.socket->confirm(w.heard().id);
  for (const UniqueFd& fd : speakers) CHECK(Listening::all_from(fd.get()) == "ok\n");
}
