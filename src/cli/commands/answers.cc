#include "cli/commands/answers.h"

#include <iterator>
#include <utility>

#include "cli/commands/task_text.h"

namespace hq::cli {
namespace {

// The further pages of one job. After a failure the walk is over: nothing more can come.
class TaskPages {
 public:
  TaskPages(Answers& answers, const msg::JobDetail& job) : answers_(answers), job_(job) {}

  Result<void> walk(const std::function<void(const msg::TaskRow&)>& take) {
    for (const msg::TaskRow& row : job_.tasks) take(row);
    for (bool more = std::exchange(more_, false) && job_.more_tasks; more;) {
      auto reply = answers_.take();
      if (!reply) return reply.error();
      if (!*reply) return Error("The server ended its answer within a job");
      const auto* page = std::get_if<msg::TaskPage>(&**reply);
      if (page == nullptr) return unexpected_answer(**reply);
      for (const msg::TaskRow& row : page->tasks) take(row);
      more = page->more_tasks;
    }
    return {};
  }

  Result<void> skip_rest() {
    return more_ && job_.more_tasks ? walk([](const msg::TaskRow&) {}) : Result<void>();
  }

 private:
  Answers& answers_;
  const msg::JobDetail& job_;
  bool more_ = true;
};

// The descriptions of a large graph come in pages of their own.
Result<void> take_graph(Answers& answers, msg::JobDetail& job) {
  for (bool more = job.more_graph; more;) {
    auto reply = answers.take();
    if (!reply) return reply.error();
    if (!*reply) return Error("The server ended its answer within a job");
    auto* page = std::get_if<msg::GraphPage>(&**reply);
    if (page == nullptr || page->submit >= job.submits.size()) return unexpected_answer(**reply);
    auto& graph = job.submits[page->submit].graph;
    graph.insert(graph.end(), std::make_move_iterator(page->graph.begin()),
                 std::make_move_iterator(page->graph.end()));
    more = page->more_graph;
  }
  return {};
}

}  // namespace

Answers Answers::to(Client& client, const msg::ClientRequest& request) {
  return Answers([&client, id = client.send(request)] { return client.next(id); });
}

Result<const msg::ClientReply*> Answers::peek() {
  const msg::ClientReply* nothing = nullptr;
  if (ended_) return nothing;
  if (!ahead_) {
    auto reply = next_();
    if (!reply) return reply.error();
    if (std::holds_alternative<msg::End>(*reply)) {
      ended_ = true;
      return nothing;
    }
    ahead_ = std::move(*reply);
  }
  return const_cast<const msg::ClientReply*>(&*ahead_);
}

Result<std::optional<msg::ClientReply>> Answers::take() {
  auto next = peek();
  if (!next) return next.error();
  return std::exchange(ahead_, std::nullopt);
}

Result<void> for_each_job(Answers& answers, const JobHandler& handler) {
  while (true) {
    auto reply = answers.take();
    if (!reply) return reply.error();
    if (!*reply) return {};
    if (const auto* missing = std::get_if<msg::JobNotFound>(&**reply)) {
      if (auto handled = handler.on_missing(missing->job); !handled) return handled;
      continue;
    }
    auto* job = std::get_if<msg::JobDetail>(&**reply);
    if (job == nullptr) return unexpected_answer(**reply);
    if (auto whole = take_graph(answers, *job); !whole) return whole;
    TaskPages pages(answers, *job);
    auto handled = handler.on_job(*job, [&](const auto& take) { return pages.walk(take); });
    if (!handled) return handled;
    if (auto skipped = pages.skip_rest(); !skipped) return skipped;
  }
}

Result<std::string> ask_server_uid(Client& client) {
  auto info = client.call<msg::ServerInfo>(msg::GetServerInfo{});
  if (!info) return info.error();
  return std::move(info->server_uid);
}

Result<std::string> ServerUid::for_job(const msg::JobDetail& job) {
  if (!needs_server_uid(job)) return std::string();
  if (!uid_) {
    auto uid = ask_();
    if (!uid) return uid.error();
    uid_ = std::move(*uid);
  }
  return *uid_;
}

Error unexpected_answer(const msg::ClientReply& reply) {
  return Error("The server answered with an unexpected message '" + std::string(type_name(reply)) + "'");
}

}  // namespace hq::cli
