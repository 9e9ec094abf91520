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

}  // namespace hq
