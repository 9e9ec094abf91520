#include "sim/rules.h"

#include <algorithm>

#include <fmt/format.h>

namespace hq::sim {

namespace {

std::string name(const RunningProcess& process) {
  return fmt::format("task {} instance {} on node {}", process.task.text(), process.instance.value,
                     process.node);
}

// What a server would still know after reading its journal: all but what is rebuilt from hellos.
std::string durable_text(const State& state) {
  std::string text = state.server_uid();
  state.for_each_job([&](const Job& job) {
    text += fmt::format("\njob {} open={} ", job.id.value, job.open);
    for (uint64_t n : job.counts) text += fmt::format("{},", n);
    for (const auto& group : job.groups) {
      for (uint64_t p = 0; p < group->task_count(); ++p) {
        text += fmt::format(" {}.{}", int(group->state(p)), group->instance(p).value);
      }
    }
  });
  for (const auto& [id, worker] : state.workers()) {
    text += fmt::format("\nworker {} lost={} {}/{}/{}", id.value, worker->lost ? int(*worker->lost) : -1,
                        worker->slots, worker->running, worker->backlog);
  }
  text += fmt::format("\nready {}", state.ready().count());
  return text;
}

}  // namespace

void Rules::check_amounts(const RunningProcess& started) {
  std::map<std::string, uint64_t> sums = started.held;
  for (const auto& [id, other] : running_) {
    if (other.node != started.node || other.life != started.life) continue;
    for (const auto& [index, amount] : other.held) {
      const auto same = sums.find(index);
      if (same == sums.end()) continue;
      same->second += amount;
      if (same->second > Amount::kScale)
        broken(fmt::format("rule 1: {} and {} share {}", name(started), name(other), index));
    }
  }
  for (const std::string& resource : started.missing)
    broken(fmt::format("rule 1: {} has not all {} that it asks for", name(started), resource));
  for (const RunningProcess::Strict& strict : started.strict) {
    if (strict.groups <= strict.least_groups) continue;
    broken(fmt::format("rule 9: {} has {} from {} groups where {} would do", name(started), strict.resource,
                       strict.groups, strict.least_groups));
  }
}

void Rules::on_begin(uint64_t process, RunningProcess started, const State* server, TimePoint now) {
  if (!begun_.insert({started.server_uid, started.task, started.instance}).second) {
    broken("rule 2: " + name(started) + " runs a second time");
  }
  check_amounts(started);
  for (const auto& [id, other] : running_) {
    const auto pardon = pardons_.find(other.node);
    const bool pardoned = pardon != pardons_.end() && now <= pardon->second;
    if (other.server_uid == started.server_uid && other.task == started.task && !pardoned) {
      broken(fmt::format("rule 8: {} begins while {} runs", name(started), name(other)));
    }
  }
  const bool same_server = server != nullptr && server->server_uid() == started.server_uid;
  const Job* job = same_server ? server->find_job(started.task.job) : nullptr;
  if (job != nullptr) {
    const auto place = job->find(started.task.task);
    if (!place) {
      broken("rule 2: " + name(started) + " is no task of its job");
    } else {
      if (place->group->state(place->position) == TaskState::kFinished) {
        broken("rule 2: " + name(started) + " runs though the task has finished");
      }
      if (job->unmet.contains(started.task.task)) {
        broken("rule 3: " + name(started) + " starts before what it depends on");
      }
    }
  }
  running_.emplace(process, std::move(started));
}

void Rules::on_end(uint64_t process) {
  running_.erase(process);
}

namespace {

// What a worker has, and what waits, for whoever looks into a broken rule.
std::string situation(const Server& server, const WorkerState& worker) {
  const State& state = server.state();
  const RequestClasses& classes = state.classes();
  std::string text = fmt::format("slots {} running {} backlog {} canceled {}", worker.slots, worker.running,
                                 worker.backlog, worker.lingering.size());
  for (ResourceIndex r = 0; r < classes.resource_count(); ++r)
    text += fmt::format(", {} {} of {}", classes.resource_name(r), worker.free.at(r).text(),
                        worker.total.at(r).text());
  for (const WorkerState::InUse& use : worker.in_use)
    text += fmt::format("; {} of class {} in variant {}", use.count, use.klass.value, use.variant);
  for (const WorkerState::BacklogOf& of : worker.backlog_of)
    text += fmt::format("; {} of class {} at {} in the backlog", of.count, of.klass.value, of.priority);
  for (const auto& [priority, ready] : state.ready().priorities()) {
    for (const auto& [klass, tasks] : ready) {
      text += fmt::format("\n  {} wait at {}, class {}:", tasks.count, priority, klass.value);
      for (const VariantNeed& need : classes.needs(klass)) {
        text += fmt::format(" | nodes {}", need.nodes);
        for (const auto& item : need.items)
          text += fmt::format(" {} {}", classes.resource_name(item.resource),
                              item.all ? "all" : item.amount.text());
      }
      for (const WorkerConditions& row : server.explain(klass, priority)) {
        if (row.worker == worker.id) text += ": " + row.now;
      }
    }
  }
  return text;
}

}  // namespace

void Rules::check_waiting(const Server& server) {
  const State& state = server.state();
  for (const auto& [priority, classes] : state.ready().priorities()) {
    for (const auto& [klass, ready] : classes) {
      for (const WorkerConditions& worker : server.explain(klass, priority)) {
        if (worker.enabled() == 0 || !worker.now.empty()) continue;
        const GroupKey head = ready.groups.begin()->first;
        broken(fmt::format(
            "rule 10: {} tasks like those of job {}, of priority {}, wait beside room on worker {} ({})",
            ready.count, head.job.value, priority, worker.worker.value,
            situation(server, *state.find_worker(worker.worker))));
      }
    }
  }
}

void Rules::check_starts(const Server& server, TimePoint now) {
  std::erase_if(starts_due_, [&](const auto& due) {
    const Job* job = server.state().find_job(due.first);
    if (job == nullptr || job->count(TaskState::kWaiting) < job->task_count()) return true;
    if (now <= due.second) return false;
    const auto rows = server.explain(job->groups[0]->klass(0), job->groups[0]->priority(0));
    // A suspect worker gets a task a minute, whatever waits for it.
    const auto is_suspect = [](const auto& row) { return row.now.find("suspect") != std::string::npos; };
    if (std::any_of(rows.begin(), rows.end(), is_suspect)) return true;
    std::string why;
    for (const auto& row : rows) why += fmt::format(" {}: {};", row.worker.value, row.now);
    broken(fmt::format("rule 11: no task of job {} has started in time:{}", due.first.value, why));
    return true;
  });
}

void Rules::check_replay(const State& live, const std::vector<std::vector<Record>>& commits) {
  State replayed;
  for (const auto& commit : commits) {
    for (const Record& record : commit) {
      if (const auto why = replayed.misfit(record))
        return broken("rule 5: a recorded event does not fit: " + *why);
      if (replayed.apply(record).set_aside > 0) return broken("rule 5: a recorded row fits nothing");
    }
  }
  replayed.check_invariants();
  const std::string a = durable_text(live);
  const std::string b = durable_text(replayed);
  if (a == b) return;
  const auto at = std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin();
  broken(fmt::format("rule 5: live and replayed state differ at '{}' / '{}'", a.substr(size_t(at), 60),
                     b.substr(size_t(at), 60)));
}

void Rules::check_accepted(const State& server) {
  for (const auto& [id, tasks] : accepted_) {
    const Job* job = server.find_job(id);
    if (job == nullptr) {
      if (!forgotten_.contains(id)) broken(fmt::format("rule 4: job {} was accepted and is gone", id.value));
      continue;
    }
    if (job->task_count() < tasks) {
      broken(fmt::format("rule 4: {} tasks of job {} were accepted, {} are there", tasks, id.value,
                         job->task_count()));
    }
    if (canceled_.contains(id) && job->active() > 0) {
      broken(fmt::format("rule 4: job {} was canceled and is active", id.value));
    }
  }
}

void Rules::check_all_ended(const State& server) {
  server.for_each_job([&](const Job& job) {
    if (job.active() == 0) return;
    std::string tasks;
    int shown = 0;
    for (const auto& group : job.groups) {
      for (uint64_t p = 0; p < group->task_count() && shown < 5; ++p) {
        if (is_final(group->state(p))) continue;
        TaskChunk* chunk = group->columns.find(p);
        tasks += fmt::format(" {}:{}", group->id_at(p).value, int(group->columns.state(p)));
        if (chunk != nullptr) tasks += fmt::format("@{}", chunk->worker(TaskColumns::row(p)));
        ++shown;
      }
    }
    broken(fmt::format("rule 6: job {} has {} tasks that do not end:{}", job.id.value, job.active(), tasks));
  });
  for (const auto& [id, worker] : server.alive_workers()) {
    if (!worker->idle()) broken(fmt::format("rule 6: worker {} is not idle when all has ended", id.value));
  }
}

}  // namespace hq::sim
