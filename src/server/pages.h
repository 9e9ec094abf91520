// Long answers, made page by page as the client takes them, so that a slow client makes us hold only a few
// pages.
#pragma once

#include <algorithm>
#include <functional>
#include <list>
#include <optional>

#include "hq/protocol/client_codec.h"
#include "hq/transport/channel.h"

namespace hq {

struct PageStream {
  PeerId client;
  RequestId request;
  // Next message; nothing after the last, or while a lasting one has none.
  std::function<std::optional<msg::ClientReply>()> next;
  // Goes on until its client is gone.
  bool lasting = false;
  bool overviews = false;  // with those that are no events
};

class Pages {
 public:
  void add(PageStream stream) { streams_.push_back(std::move(stream)); }
  void drop_client(PeerId client) {
    streams_.remove_if([&](const PageStream& s) { return s.client == client; });
  }
  [[nodiscard]] std::list<PageStream>& all() { return streams_; }
  [[nodiscard]] bool empty() const { return streams_.empty(); }
  [[nodiscard]] bool wants_overviews() const {
    return std::any_of(streams_.begin(), streams_.end(), [](const PageStream& s) { return s.overviews; });
  }
  // Some answer wants to be finished; lasting ones go on when something happens.
  [[nodiscard]] bool unfinished() const {
    return unfinished_for([](PeerId) { return true; });
  }
  // The same, of a client that `has_room` for more.
  template <class HasRoom>
  [[nodiscard]] bool unfinished_for(HasRoom has_room) const {
    return std::any_of(streams_.begin(), streams_.end(),
                       [&](const PageStream& s) { return !s.lasting && has_room(s.client); });
  }

 private:
  std::list<PageStream> streams_;
};

}  // namespace hq
