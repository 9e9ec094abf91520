// How busy the workers' machines are. What a worker tells at its own interval is an event; what it tells
// because somebody looks on is told to those, and kept nowhere.
#include <memory>
#include <utility>

#include "server/impl.h"

namespace hq {

namespace {

constexpr Duration kTemporaryInterval = 2s;
constexpr uint64_t kAboutBytes = 4096;  // in the journal
constexpr size_t kOverviewsAhead = 64;  // messages that wait for a client

}  // namespace

void Server::Impl::on_measured(WorkerSession& session, msg::Measured&& measured) {
  const WorkerId worker = session.worker;
  const bool durable = state.find_worker(worker)->config->overview_interval.has_value();
  if (durable) {
    // Where there is little room, results come first.
    if (ports.journal.make_room(kAboutBytes))
      record(WorkerMeasured{worker, std::make_shared<const HardwareOverview>(measured.overview)});
  } else {
    for (const PageStream& stream : pages.all()) {
      if (stream.overviews && to_clients.waiting(stream.client) < kOverviewsAhead)
        answer(stream.client, stream.request, msg::WorkerOverview{worker, measured.overview, now_.wall});
    }
  }
  overviews[worker] = std::move(measured.overview);
}

void Server::Impl::follow_overviews() {
  const bool wanted = pages.wants_overviews();
  if (!wanted && !overviews_followed) return;
  overviews_followed = wanted;
  for (auto& [peer, session] : sessions.all()) {
    if (session.worker.value == 0 || session.measures == wanted) continue;
    if (state.find_worker(session.worker)->config->overview_interval) continue;
    session.measures = wanted;
    send(peer, session.session, msg::MeasureEvery{wanted ? kTemporaryInterval : Duration(0)});
  }
}

}  // namespace hq
