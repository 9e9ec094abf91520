// A client's conversation with the server: requests out, answers in, each named by its request. It waits
// inside, since a command has nothing else to do.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>

#include "hq/base/clock.h"
#include "hq/base/result.h"
#include "hq/protocol/client_codec.h"
#include "hq/transport/channel.h"

namespace hq {

struct ClientPorts {
  Connector& connector;
  Reactor& reactor;
  Clock& clock;
};

class Client {
 public:
  // Why a connection could not be made, or how it ended. `refused`: by key or handshake; trying again is of
  // no use.
  struct ConnectionFailure {
    bool refused = false;
    std::string text;
    bool was_open = false;  // it had been made, and has ended
  };
  // Makes an Error of a failure, with the address and the advice that users see.
  using ExplainFailure = std::function<Error(const ConnectionFailure&)>;

  // Starts to connect at once, and does not wait for it. The ports must outlive the client.
  static Result<Client> connect(ClientPorts ports, ExplainFailure explain);

  RequestId send(const msg::ClientRequest& request);
  // A request of several messages: its id, those ahead, and the last, which is answered.
  [[nodiscard]] RequestId begin();
  // Waits while many are unsent. An Error if the connection has ended or the request is refused already.
  Result<void> send_ahead(RequestId request, const msg::ClientRequest& message);
  void send_last(RequestId request, const msg::ClientRequest& message);
  // The next answer to this request; waits for it. A Failed answer is an Error with its message.
  Result<msg::ClientReply> next(RequestId request);
  // The connection has ended, or could not be made: nothing more is heard.
  [[nodiscard]] bool lost() const { return lost_; }
  // Waits for `deadline` or the end of the connection, which is an Error.
  Result<void> stay_until(TimePoint deadline);
  // As next(), but gives up at `deadline` with nothing.
  Result<std::optional<msg::ClientReply>> next_until(RequestId request, std::optional<TimePoint> deadline);
  // One request with one answer of type R.
  template <class R>
  Result<R> call(const msg::ClientRequest& request) {
    auto reply = next(send(request));
    if (!reply) return reply.error();
    if (auto* wanted = std::get_if<R>(&*reply)) return std::move(*wanted);
    return Error("The server answered with an unexpected message '" + std::string(type_name(*reply)) + "'");
  }
  // A request answered by a sequence that ends with End; `on_reply` gets each of the others.
  Result<void> call_each(const msg::ClientRequest& request,
                         const std::function<Result<void>(msg::ClientReply&&)>& on_reply);

 private:
  Client(ClientPorts ports, ExplainFailure explain, std::unique_ptr<DealerChannel> channel);
  void send_unsent();
  Result<void> pump(std::optional<TimePoint> deadline);

  ClientPorts ports_;
  ExplainFailure explain_;
  std::unique_ptr<DealerChannel> channel_;
  bool was_open_ = false;
  bool lost_ = false;
  uint64_t next_request_ = 1;
  std::deque<Bytes> unsent_;
  std::map<RequestId, std::deque<msg::ClientReply>> answers_;
};

}  // namespace hq
