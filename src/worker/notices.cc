// What tasks say: on to the server, no more at a time than it can take.
#include <charconv>
#include <utility>

#include "hq/protocol/limits.h"
#include "worker/state.h"

namespace hq {

static_assert(kMostNoticeBytes <= limits::kMaxNotice);

const Launch* Worker::State::speaker(const std::string& token) const {
  uint64_t number_of_launch = 0;
  const size_t dash = token.find('-');
  if (!token.starts_with("hq") || dash == std::string::npos) return nullptr;
  const auto [end, error] = std::from_chars(token.data() + 2, token.data() + dash, number_of_launch);
  if (error != std::errc() || end != token.data() + dash) return nullptr;
  const auto found = launches.all().find(LaunchId(number_of_launch));
  return found == launches.all().end() || found->second.token != token ? nullptr : &found->second;
}

// A message is confirmed when it is on its way: what the task is known to have said precedes its end.
void Worker::State::pass_on_notices() {
  ports.notices.take_in();
  const bool has_server = phase == Phase::kServing;
  while (!has_server ||
         (session.welcomed() && !session.backed_up() && notices.size() < limits::kNoticesUnderWay)) {
    auto said = ports.notices.next();
    if (!said) return;
    const Launch* launch = speaker(said->token);
    if (launch == nullptr) {
      ports.notices.refuse(said->id);
      continue;
    }
    if (has_server) {  // else nobody listens any more
      const Attempt& attempt = launch->task.attempt;
      notices.push_back({++last_notice, attempt.job, attempt.task, attempt.instance, std::move(said->text)});
      session.send(notices.back());
      session.flush();
    }
    ports.notices.confirm(said->id);
  }
}

void Worker::State::on(const msg::NoticeAck& message, Now) {
  while (!notices.empty() && notices.front().number <= message.number) notices.pop_front();
}

// In a new session: what was said in the last one may not have arrived.
void Worker::State::say_notices_again() {
  for (const msg::Notice& notice : notices) session.send(notice);
  session.flush();
}

}  // namespace hq
