#include "server/sessions.h"

namespace hq {

WorkerSession* Sessions::find(PeerId peer) {
  auto it = by_peer_.find(peer);
  return it == by_peer_.end() ? nullptr : &it->second;
}

WorkerSession& Sessions::open(PeerId peer) {
  WorkerSession& session = by_peer_[peer];
  session.peer = peer;
  return session;
}

WorkerLink* Sessions::link(WorkerId worker) {
  auto it = links_.find(worker);
  return it == links_.end() ? nullptr : &it->second;
}

WorkerSession* Sessions::of(WorkerId worker) {
  WorkerLink* found = link(worker);
  return found == nullptr || !found->peer ? nullptr : find(*found->peer);
}

bool Sessions::note_hello(WorkerUid worker, uint64_t counter) {
  auto [newest, first] = hellos_.emplace(worker, counter);
  if (!first && counter <= newest->second) return false;
  newest->second = counter;
  return true;
}

}  // namespace hq
