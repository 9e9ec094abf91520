#include "server/waiters.h"

#include <algorithm>

namespace hq {

bool Waiters::is_done(const State& state, JobId id, bool without_close) {
  const Job* job = state.find_job(id);
  if (job == nullptr) return true;  // forgotten meanwhile
  return job->active() == 0 && (without_close || !job->open);
}

void Waiters::add(Waiter waiter) {
  waiters_.push_back(std::move(waiter));
  auto it = std::prev(waiters_.end());
  for (JobId job : it->open) by_job_[job].push_back(it);
}

std::vector<const Waiter*> Waiters::listeners(JobId job) const {
  std::vector<const Waiter*> out;
  const auto found = by_job_.find(job);
  if (found == by_job_.end()) return out;
  for (const auto& waiter : found->second) {
    if (waiter->notices) out.push_back(&*waiter);
  }
  return out;
}

void Waiters::unlink(std::list<Waiter>::iterator it) {
  for (JobId job : it->open) {
    auto found = by_job_.find(job);
    if (found == by_job_.end()) continue;
    std::erase(found->second, it);
    if (found->second.empty()) by_job_.erase(found);
  }
}

void Waiters::drop_client(PeerId client) {
  for (auto it = waiters_.begin(); it != waiters_.end();) {
    if (it->client == client) {
      unlink(it);
      it = waiters_.erase(it);
    } else {
      ++it;
    }
  }
}

std::vector<Waiter> Waiters::take_done(const State& state) {
  std::vector<Waiter> done;
  for (JobId job : changed_) {
    auto found = by_job_.find(job);
    if (found == by_job_.end()) continue;
    const std::vector<std::list<Waiter>::iterator> concerned = found->second;
    for (auto it : concerned) {
      it->changed = true;
      if (!is_done(state, job, it->without_close)) continue;
      it->open.erase(job);
      std::erase(by_job_[job], it);
      if (!it->open.empty()) continue;
      done.push_back(std::move(*it));
      waiters_.erase(it);
    }
    if (by_job_[job].empty()) by_job_.erase(job);
  }
  changed_.clear();
  return done;
}

}  // namespace hq
