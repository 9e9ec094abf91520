// Output that the server keeps (--log): from the workers' output connections to the log files and back.
#include <algorithm>
#include <utility>

#include "hq/base/log.h"
#include "server/impl.h"

namespace hq {

namespace {

// A worker may write to the files of its jobs, and to no other.
bool names_log_of(const Job& job, const msg::OutputData& data) {
  if (job.uid != data.job_uid) return false;
  return std::any_of(job.groups.begin(), job.groups.end(),
                     [&](const auto& group) { return group->log_path() == data.log_path; });
}

}  // namespace

void Server::Impl::send_output(PeerId peer, SessionId session, const msg::ToWorker& message) {
  to_workers.send_free(peer, encode(session, message));
}

void Server::Impl::on_output_hello(PeerId from, SessionId number, const msg::OutputHello& hello) {
  const bool known = std::any_of(sessions.all().begin(), sessions.all().end(), [&](const auto& item) {
    return item.second.session == number && number.value != 0 && item.second.uid == hello.worker_uid;
  });
  if (!known) return send_now(from, number, msg::HelloPlease{});
  OutputLink& link = outputs.links[hello.worker_uid];
  if (hello.counter <= link.counter) return;  // of a connection that was given up
  if (link.peer) {
    outputs.by_peer.erase(*link.peer);
    to_workers.drop(*link.peer);
  }
  link.peer = from;
  link.session = number;
  link.counter = hello.counter;
  outputs.by_peer[from] = hello.worker_uid;
  for (const auto& [packet, failures] : link.failures) {
    send_output(from, number, msg::OutputKept{packet, outputs.window(), failures});
  }
  msg::OutputWelcome welcome{link.last, outputs.window(), {}};
  for (const auto& [id, batch] : outputs.batches) {
    if (batch.worker == hello.worker_uid) welcome.pending.push_back(batch.number);
  }
  send_output(from, number, welcome);
}

void Server::Impl::on_output_data(PeerId from, msg::OutputData&& data) {
  const auto peer = outputs.by_peer.find(from);
  if (peer == outputs.by_peer.end()) return send_now(from, SessionId(0), msg::HelloPlease{});
  OutputLink& link = outputs.links[peer->second];
  if (data.number <= link.last) return;  // it has arrived before, and is confirmed when it is safe
  link.last = data.number;
  const LogBatchId id(++outputs.last_batch);
  outputs.batches[id] = {peer->second, data.number};
  const Job* job = state.find_job(data.job);
  if (job == nullptr || !names_log_of(*job, data)) {
    // The job was forgotten: nobody asks for its output any more.
    on_batch_done({id, {}});
    return;
  }
  ports.logs.append(id, {data.log_path, state.server_uid(), data.job_uid}, std::move(data.records));
}

void Server::Impl::confirm_output() {
  while (auto done = ports.logs.next_done()) on_batch_done(*done);
}

void Server::Impl::on_batch_done(const LogBatchDone& done) {
  const auto batch = outputs.batches.extract(done.id);
  if (batch.empty()) return;
  msg::OutputKept kept{batch.mapped().number, outputs.window(), {}};
  for (const LogBatchDone::Failure& failure : done.failures) {
    kept.failures.push_back({failure.key.task, failure.key.instance, failure.why});
    log::warn(failure.why);
  }
  const auto link = outputs.links.find(batch.mapped().worker);
  if (link == outputs.links.end()) return;
  if (!kept.failures.empty()) link->second.failures[kept.number] = kept.failures;
  // Without a connection the answer to the next hello says so.
  if (link->second.peer) send_output(*link->second.peer, link->second.session, kept);
}

bool Server::Impl::drop_output_peer(PeerId peer) {
  const auto found = outputs.by_peer.find(peer);
  if (found == outputs.by_peer.end()) return false;
  OutputLink& link = outputs.links[found->second];
  if (link.peer == peer) link.peer.reset();
  outputs.by_peer.erase(found);
  to_workers.drop(peer);
  return true;
}

}  // namespace hq
