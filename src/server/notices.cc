// What running tasks say: passed on to whoever waits for their job, kept nowhere. A client that takes nothing
// holds up those who speak to it, not us: a notice is acknowledged when it has been passed on. Those who only
// look at events hold up nobody; what they don't take in time is lost to them.
#include <algorithm>
#include <utility>

#include "hq/protocol/limits.h"
#include "server/impl.h"

namespace hq {

namespace {

constexpr size_t kNoticesAhead = 64;  // messages that wait for a client

}  // namespace

void Server::Impl::on_notice(WorkerSession& session, msg::Notice&& notice) {
  WorkerLink* link = sessions.link(session.worker);
  if (link == nullptr) return;
  // Else it is said again after a lost connection, or more than it may be.
  if (notice.number > link->last_notice && link->notices.size() < limits::kNoticesUnderWay) {
    link->last_notice = notice.number;
    // Of an attempt that is not (any more) that worker's nothing is heard.
    if (state.assigned_row(session.worker, {notice.job, notice.task}, notice.instance))
      link->notices.push_back(std::move(notice));
  }
  pass_on_notices(session.worker);
}

void Server::Impl::pass_on_notices() {
  for (WorkerId worker : std::set<WorkerId>(notices_held)) pass_on_notices(worker);
}

void Server::Impl::pass_on_notices(WorkerId worker) {
  notices_held.erase(worker);
  WorkerLink* link = sessions.link(worker);
  if (link == nullptr) return;  // it was lost, with what its tasks said
  while (!link->notices.empty() && !has_listener_without_room(link->notices.front().job)) {
    tell(link->notices.front(), worker);
    link->notices.pop_front();
  }
  if (!link->notices.empty()) notices_held.insert(worker);
  WorkerSession* session = sessions.of(worker);
  if (session == nullptr) return;
  const uint64_t passed_on = link->notices.empty() ? link->last_notice : link->notices.front().number - 1;
  if (passed_on > 0) send_output(session->peer, session->session, msg::NoticeAck{passed_on});
}

bool Server::Impl::has_listener_without_room(JobId job) const {
  for (const Waiter* waiter : waiters.listeners(job)) {
    if (to_clients.waiting(waiter->client) >= kNoticesAhead) return true;
  }
  return false;
}

void Server::Impl::tell(const msg::Notice& notice, WorkerId worker) {
  const msg::TaskNotice told{notice.job, notice.task, notice.instance, worker, notice.text, now_.wall};
  for (const Waiter* waiter : waiters.listeners(notice.job)) reply(waiter->client, waiter->request, told);
  for (const PageStream& stream : pages.all()) {
    if (stream.lasting && to_clients.waiting(stream.client) < kNoticesAhead)
      answer(stream.client, stream.request, told);
  }
}

// What its jobs have said before they ended, room or not.
void Server::Impl::tell_all_of(const Waiter& waiter) {
  if (!waiter.notices) return;
  for (WorkerId worker : notices_held) {
    const WorkerLink* link = sessions.link(worker);
    if (link == nullptr) continue;
    for (const msg::Notice& notice : link->notices) {
      if (std::find(waiter.jobs.begin(), waiter.jobs.end(), notice.job) == waiter.jobs.end()) continue;
      reply(waiter.client, waiter.request,
            msg::TaskNotice{notice.job, notice.task, notice.instance, worker, notice.text, now_.wall});
    }
  }
}

}  // namespace hq
