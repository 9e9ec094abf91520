#include "worker/launches.h"

#include <utility>

#include "hq/base/assert.h"

namespace hq {

void Launches::start_chain(LaunchId id, Task task, ResourceClaim claim) {
  const uint64_t number = ++last_chain_;
  Chain& chain = chains_[number];
  chain.claim = std::move(claim);
  chain.request = task.request().number;
  chain.members.push_back(id);
  launches_.emplace(id, Launch{.id = id, .task = std::move(task), .chain = number});
}

void Launches::append(uint64_t chain, LaunchId id, Task task) {
  chains_.at(chain).members.push_back(id);
  launches_.emplace(
      id, Launch{.id = id, .task = std::move(task), .chain = chain, .state = Launch::State::kHanded});
  ++handed_;
}

Launch* Launches::find(LaunchId id) {
  const auto found = launches_.find(id);
  return found == launches_.end() ? nullptr : &found->second;
}

Launch& Launches::get(LaunchId id) {
  Launch* launch = find(id);
  HQ_ASSERT(launch != nullptr);
  return *launch;
}

void Launches::set_running(Launch& launch, TimePoint now) {
  if (launch.state == Launch::State::kHanded) --handed_;
  launch.state = Launch::State::kRunning;
  launch.started = now;
}

void Launches::move_up(Chain& chain) {
  Launch& front = get(chain.members.front());
  if (front.state != Launch::State::kHanded) return;
  front.state = Launch::State::kRequested;
  --handed_;
}

Launch Launches::remove(LaunchId id) {
  const auto found = launches_.find(id);
  HQ_ASSERT(found != launches_.end());
  Launch launch = std::move(found->second);
  launches_.erase(found);
  if (launch.state == Launch::State::kHanded) --handed_;
  const auto chain = chains_.find(launch.chain);
  std::erase(chain->second.members, id);
  if (chain->second.members.empty()) {
    chains_.erase(chain);
  } else {
    move_up(chain->second);
  }
  return launch;
}

void Launches::check_invariants() const {
  size_t members = 0;
  size_t handed = 0;
  for (const auto& [number, chain] : chains_) {
    HQ_ASSERT(!chain.members.empty() && chain.claim.active());
    for (size_t i = 0; i < chain.members.size(); ++i) {
      const Launch& launch = launches_.at(chain.members[i]);
      HQ_ASSERT(launch.chain == number && launch.task.request().number == chain.request);
      HQ_ASSERT((launch.state == Launch::State::kHanded) <= (i > 0));
      HQ_ASSERT(launch.state != Launch::State::kRequested || i == 0);
      handed += launch.state == Launch::State::kHanded;
    }
    members += chain.members.size();
  }
  HQ_ASSERT(members == launches_.size());
  HQ_ASSERT(handed == handed_);
}

}  // namespace hq
