// A server that a test plays: commands talk to it over the fake channel, on a virtual clock, and what they
// print and log is kept.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cli/commands/connect.h"
#include "cli/commands/context.h"
#include "hq/base/log.h"
#include "hq/base/random.h"
#include "support/fake_channel.h"

namespace hq::cli {

class PlayedServer final : private Clock, private Reactor {
 public:
  using Answer = std::function<std::vector<msg::ClientReply>(const msg::ClientRequest&)>;

  explicit PlayedServer(Answer answer = {}) : answer_(std::move(answer)), network_(random_) {
    context_.working_directory = "/home/u/w";
    context_.server_dir = {"/home/u/.hq-server", true};
    context_.running = {"0.26.2", {}};
    context_.clock = this;
    context_.files = &files_;
    context_.environment = [this](const char* name) -> const char* {
      const auto found = variables_.find(name);
      return found == variables_.end() ? nullptr : found->second.c_str();
    };
    context_.run_program = [this](const auto& argv, const auto& environment) -> Result<std::string> {
      programs.push_back(argv);
      for (const auto& [name, value] : environment) programs.back().push_back(name + "=" + value);
      const auto [end, error] = program_ends.at(programs.size() - 1);
      if (!error.empty()) return Error(error);
      return end;
    };
    context_.sleep_until = [this](TimePoint moment) { pass_time(moment); };
    context_.connect = [this]() -> Result<Client> {
      ++connections;
      connectors_.push_back(network_.make_connector("client", "server"));
      return Client::connect({*connectors_.back(), *this, *this}, [this](const auto& failure) {
        return connection_error(context_.server_dir, access_, failure);
      });
    };
    if (answer_) start();
    log::set_sink([this](log::Level level, std::string_view line) {
      // Without the time.
      if (level <= log::Level::kInfo) logged.emplace_back(line.substr(line.find(' ') + 1));
    });
  }
  ~PlayedServer() { log::set_sink({}); }

  void start() { router_ = network_.bind("server"); }
  void die() { router_.reset(); }
  void at(Duration after, std::function<void()> action) {
    planned_.emplace(network_.now() + after, std::move(action));
  }
  [[nodiscard]] Duration elapsed() const { return network_.now() - TimePoint{}; }

  // Runs a command; what it printed is in `out` and `err`.
  template <class Command, class Options>
  int run(Command command, const Options& options, OutputMode mode = OutputMode::kCli) {
    Output output(
        mode, Style(), [this](std::string_view bytes) { return out += bytes, 0; },
        [this](std::string_view bytes) { return err += bytes, 0; });
    return command(options, context_, output);
  }

  std::string out;
  std::string err;
  std::vector<std::string> logged;
  std::vector<std::string> requests;  // their names
  int connections = 0;
  std::vector<std::vector<std::string>> programs;                 // that were run, their variables last
  std::vector<std::pair<std::string, std::string>> program_ends;  // how they end, or why they can't start
  void set_variable(const std::string& name, std::optional<std::string> value) {
    variables_.erase(name);
    if (value) variables_[name] = std::move(*value);
  }

 private:
  Now now() override { return {network_.now(), {}}; }

  void wait(std::optional<TimePoint> deadline) override {
    std::optional<TimePoint> next = network_.next_event();
    if (deadline && (!next || *deadline < *next)) next = deadline;
    if (!planned_.empty() && (!next || planned_.begin()->first < *next)) next = planned_.begin()->first;
    REQUIRE_MESSAGE(next, "the command waits for something that never comes");
    pass_time(*next);
  }

  void pass_time(TimePoint until) {
    while (!planned_.empty() && planned_.begin()->first <= until) {
      auto action = planned_.extract(planned_.begin());
      network_.advance_to(action.key());
      action.mapped()();
    }
    network_.advance_to(until);
    while (router_) {
      auto received = router_->receive();
      if (!received) return;
      auto request = decode_request(received->frame);
      REQUIRE(request);
      requests.emplace_back(type_name(request->message));
      for (const msg::ClientReply& reply : answer_(request->message)) {
        (void)router_->send(received->from, encode(request->id, reply));
      }
    }
  }

  Answer answer_;
  SeededRandom random_{1};
  test::FakeNetwork network_;
  std::unique_ptr<RouterChannel> router_;
  std::vector<std::unique_ptr<Connector>> connectors_;
  std::multimap<TimePoint, std::function<void()>> planned_;
  RoleAccess access_{"n1", 40001, {}, false, {}, {}};
  SystemFiles files_;
  std::map<std::string, std::string> variables_;
  CommandContext context_;
};

}  // namespace hq::cli
