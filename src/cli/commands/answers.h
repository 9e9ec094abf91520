// A long answer of the server, message by message: what is printed is never held as a whole.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "cli/commands/context.h"
#include "hq/base/result.h"
#include "hq/protocol/client_messages.h"

namespace hq::cli {

class Answers {
 public:
  // Returns the next message; the last one is End.
  using Next = std::function<Result<msg::ClientReply>()>;

  explicit Answers(Next next) : next_(std::move(next)) {}
  // Those to `request`; `client` must outlive them.
  [[nodiscard]] static Answers to(Client& client, const msg::ClientRequest& request);

  // The next message, without taking it; null at the end.
  Result<const msg::ClientReply*> peek();
  // The next message; nothing at the end.
  Result<std::optional<msg::ClientReply>> take();

 private:
  Next next_;
  std::optional<msg::ClientReply> ahead_;
  bool ended_ = false;
};

// Jobs and what is wrong with those that are not there.
struct JobHandler {
  // Gets each job, and a way to its tasks: each row ascending by id, through all pages. REQUIRES: the rows
  // are walked at most once, and before the handler returns; those left are skipped.
  using Rows = std::function<Result<void>(const std::function<void(const msg::TaskRow&)>&)>;
  std::function<Result<void>(const msg::JobDetail&, const Rows&)> on_job;
  std::function<Result<void>(JobId)> on_missing;
};
// Walks the answers to a GetJobs.
Result<void> for_each_job(Answers& answers, const JobHandler& handler);

[[nodiscard]] Result<std::string> ask_server_uid(Client& client);
using AskServerUid = std::function<Result<std::string>()>;

// The uid of the server, which paths of tasks may hold: asked for when a job needs it, and then kept.
class ServerUid {
 public:
  explicit ServerUid(const AskServerUid& ask) : ask_(ask) {}
  // Empty for a job whose paths do without.
  [[nodiscard]] Result<std::string> for_job(const msg::JobDetail& job);

 private:
  const AskServerUid& ask_;
  std::optional<std::string> uid_;
};

[[nodiscard]] Error unexpected_answer(const msg::ClientReply& reply);

}  // namespace hq::cli
