#include "hq/core/ready_queue.h"

#include "hq/base/assert.h"

namespace hq {

void ReadyQueue::add(int32_t priority, ClassId klass, GroupKey key, IdRange ids, bool again) {
  ReadyClass& ready = priorities_[priority][klass];
  ReadyTasks& tasks = ready.groups[key];
  (again ? tasks.again : tasks.fresh).add(ids);
  ready.count += ids.count();
  count_ += ids.count();
}

void ReadyQueue::remove(int32_t priority, ClassId klass, GroupKey key, IdRange ids, bool again) {
  auto p = priorities_.find(priority);
  HQ_ASSERT(p != priorities_.end());
  auto c = p->second.find(klass);
  HQ_ASSERT(c != p->second.end());
  auto g = c->second.groups.find(key);
  HQ_ASSERT(g != c->second.groups.end());
  (again ? g->second.again : g->second.fresh).remove(ids);
  c->second.count -= ids.count();
  count_ -= ids.count();
  drop_if_empty(p, c, g);
}

void ReadyQueue::remove_all(int32_t priority, ClassId klass, GroupKey key) {
  auto p = priorities_.find(priority);
  if (p == priorities_.end()) return;
  auto c = p->second.find(klass);
  if (c == p->second.end()) return;
  auto g = c->second.groups.find(key);
  if (g == c->second.groups.end()) return;
  c->second.count -= g->second.count();
  count_ -= g->second.count();
  g->second.fresh.clear();
  g->second.again.clear();
  drop_if_empty(p, c, g);
}

const ReadyTasks* ReadyQueue::find(int32_t priority, ClassId klass, GroupKey key) const {
  auto p = priorities_.find(priority);
  if (p == priorities_.end()) return nullptr;
  auto c = p->second.find(klass);
  if (c == p->second.end()) return nullptr;
  auto g = c->second.groups.find(key);
  return g == c->second.groups.end() ? nullptr : &g->second;
}

void ReadyQueue::drop_if_empty(Priorities::iterator p, Classes::iterator c,
                               std::map<GroupKey, ReadyTasks>::iterator g) {
  if (!g->second.empty()) return;
  c->second.groups.erase(g);
  if (!c->second.groups.empty()) return;
  p->second.erase(c);
  if (p->second.empty()) priorities_.erase(p);
}

}  // namespace hq
