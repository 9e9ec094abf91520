// Requests about the journal.
#include <algorithm>
#include <memory>

#include "hq/base/log.h"
#include "server/impl.h"

namespace hq {

// The answer rests on all that was recorded, like any other.
void Server::Impl::on(PeerId from, RequestId id, msg::FlushJournal&&) {
  reply(from, id, msg::Done{});
}

void Server::Impl::on(PeerId from, RequestId id, msg::PruneJournal&&) {
  commit_turn();
  prunes.push_back({from, id, ports.journal.prune()});
}

void Server::Impl::answer_prunes() {
  if (prunes.empty()) return;
  const uint64_t done = ports.journal.pruned();
  while (!prunes.empty() && prunes.front().number <= done) {
    reply(prunes.front().client, prunes.front().request, msg::Done{});
    prunes.pop_front();
  }
}

void Server::Impl::on(PeerId from, RequestId id, msg::FollowEvents&& request) {
  if (!request.server_uid.empty() && request.server_uid != state.server_uid()) {
    return reply(from, id,
                 msg::Failed{"The events are of server '" + request.server_uid + "', this one is '" +
                             state.server_uid() + "'"});
  }
  std::shared_ptr<JournalReader> reader = ports.journal.read(request.after);
  auto next = [this, reader, live = request.live,
               ended = false]() mutable -> std::optional<msg::ClientReply> {
    if (ended) return std::nullopt;
    const bool all_told = !live || events_ended;  // before the look, or the last ones could be missed
    auto read = reader->next();
    if (read && *read) return msg::EventBlock{std::move((*read)->records), (*read)->last};
    if (read && !all_told) return std::nullopt;
    ended = true;
    if (!read) return msg::Failed{"The journal cannot be read: " + read.error().message};
    return msg::End{};
  };
  pages.add({from, id, std::move(next), request.live, request.live && request.overviews});
}

// For those who follow events: there will be no more.
void Server::Impl::end_events() {
  events_ended = true;
  for (PageStream& stream : pages.all()) stream.lasting = false;
}

}  // namespace hq
