#include "server/outbox.h"

#include <algorithm>
#include <utility>

namespace hq {

void Outbox::send(PeerId to, Bytes frame) {
  queues_[to].push_back({kOpen, std::move(frame)});
  if (touched_.empty() || touched_.back() != to) touched_.push_back(to);
}

void Outbox::send_answer(PeerId to, Bytes frame) {
  send(to, std::move(frame));
  queues_[to].back().answer = true;
}

void Outbox::send_free(PeerId to, Bytes frame) {
  std::deque<Item>& queue = queues_[to];
  const auto first_bound =
      std::find_if(queue.begin(), queue.end(), [](const Item& item) { return item.commit != kAhead; });
  queue.insert(first_bound, {kAhead, std::move(frame)});
}

void Outbox::release_answers() {
  for (auto& [peer, queue] : queues_) {
    for (Item& item : queue) {
      if (item.answer) item.commit = kAhead;
    }
    std::stable_partition(queue.begin(), queue.end(), [](const Item& item) { return item.commit == kAhead; });
  }
}

void Outbox::send_now(PeerId to, BytesView frame) {
  (void)channel_.send(to, frame);
}

void Outbox::send_ahead(PeerId to, Bytes frame) {
  if (channel_.send(to, frame) != SendStatus::kFull) return;
  std::deque<Item>& queue = queues_[to];
  size_t ahead = 0;
  while (ahead < queue.size() && queue[ahead].commit == kAhead) ++ahead;
  queue.insert(queue.begin() + ptrdiff_t(ahead), {kAhead, std::move(frame)});
  if (ahead == kMostAhead) queue.pop_front();
  stuck_ = true;
}

void Outbox::close_turn(CommitNumber commit) {
  for (PeerId peer : touched_) {
    auto it = queues_.find(peer);
    if (it == queues_.end()) continue;
    for (auto item = it->second.rbegin(); item != it->second.rend() && item->commit == kOpen; ++item) {
      item->commit = commit;
    }
  }
  touched_.clear();
}

std::vector<PeerId> Outbox::flush(CommitNumber committed) {
  std::vector<PeerId> gone;
  stuck_ = false;
  for (auto it = queues_.begin(); it != queues_.end();) {
    std::deque<Item>& queue = it->second;
    bool lost = false;
    while (!queue.empty() && queue.front().commit <= committed) {
      const SendStatus status = channel_.send(it->first, queue.front().frame);
      if (status == SendStatus::kFull) {
        stuck_ = true;
        break;
      }
      if (status == SendStatus::kGone) {
        lost = true;
        break;
      }
      queue.pop_front();
    }
    if (lost) gone.push_back(it->first);
    it = lost || queue.empty() ? queues_.erase(it) : std::next(it);
  }
  return gone;
}

size_t Outbox::waiting(PeerId peer) const {
  auto it = queues_.find(peer);
  return it == queues_.end() ? 0 : it->second.size();
}

}  // namespace hq
