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
  last_commit = std::max(last_commit, ports.journal.prune());
  reply(from, id, msg::Done{});
}

void Server::Impl::on(PeerId from, RequestId id, msg::FollowEvents&& request) {
  std::shared_ptr<JournalReader> reader = ports.journal.read();
  auto next = [reader, live = request.live, ended = false]() mutable -> std::optional<msg::ClientReply> {
    if (ended) return std::nullopt;
    auto block = reader->next();
    if (block && *block) return msg::EventBlock{std::move(**block)};
    if (block && live) return std::nullopt;
    ended = true;
    if (!block) return msg::Failed{"The journal cannot be read: " + block.error().message};
    return msg::End{};
  };
  pages.add({from, id, std::move(next), request.live});
}

}  // namespace hq
