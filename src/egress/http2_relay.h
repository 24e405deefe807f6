#pragma once

#include <map>
#include <memory>
#include <string>

#include "egress/http2_body.h"
#include "egress/http2_plan.h"
#include "egress/http_relay.h"

namespace writ::egress {

/// Relays HTTP/2 inside an intercepted connection, where both sides speak it.
void StartHttp2Relay(Core& core, RelayParts parts);

/// Reads the requests of every stream, judges each, and exchanges it with the one upstream, which is another HTTP/2
/// connection: streams, windows and settings of the two have nothing to do with each other.
class Http2Relay final : public Connection, private Http2Events {
 public:
  Http2Relay(Core& core, RelayParts parts);
  /// Errors: it must be closed.
  Result<> Start();
  void Rejudge() override;

 private:
  /// One request and its answer; as long as the job's stream.
  struct Exchange {
    std::int32_t job = 0;
    std::int32_t up = 0;  ///< stream of the upstream's session; 0: none, or no more
    HttpPlan plan;
    Http2Body request, response;
    std::shared_ptr<PlaceholderFilter> filter;  ///< of `request`
    bool responded = false;  ///< the head of the answer was given to the job's session
    bool own = false;        ///< the answer is the proxy's
    bool all_sent = false;   ///< the answer went out
  };
  using Exchanges = std::map<std::int32_t, std::unique_ptr<Exchange>>;

  void OnReady(Watch& watch, std::uint32_t events) override;
  void OnDue(Timer& timer) override;
  void OnClose() override;

  bool OnHead(Http2Session& session, std::int32_t stream, Http2Head head) override;
  bool OnData(Http2Session& session, std::int32_t stream, std::string_view bytes) override;
  void OnLast(Http2Session& session, std::int32_t stream) override;
  void OnLastSent(Http2Session& session, std::int32_t stream) override;
  void OnClosed(Http2Session& session, std::int32_t stream, std::uint32_t code) override;
  void OnGoAway(Http2Session& session) override;
  Http2Piece Pull(Http2Session& session, std::int32_t stream, std::span<char> to) override;

  void Turn();
  bool Step();
  bool Feed(HttpSide& side, Http2Session& session, bool out);
  bool Drain(HttpSide& side, Http2Session& session);
  bool StepLast();
  void RearmTimer();

  Exchange* Find(const Http2Session& session, std::int32_t stream);
  bool OnRequest(std::int32_t stream, Http2Head head);
  bool OnRequestTrailers(Exchange& exchange, Http2Head head);
  void OnResponse(Exchange& exchange, Http2Head head);
  void OnResponseTrailers(Exchange& exchange, Http2Head head);
  bool RefuseBody(Exchange& exchange, policy::EgressVerdict verdict);
  void Answer(Exchange& exchange, int status, std::string text);
  void DropUpstream(Exchange& exchange, std::uint32_t code);
  void UpstreamEnded();
  void EndWhenDone();
  void Credit(Exchange& exchange);

  const Destination destination_;
  const TunnelKind kind_;
  const std::string upstream_failure_;
  const Endpoint remote_;
  HostBytes& account_;
  HttpSide client_, server_;
  std::unique_ptr<Http2Session> job_, upstream_;
  Exchanges exchanges_;                       ///< by the job's stream
  std::map<std::int32_t, Exchange*> by_up_;   ///< by the upstream's stream
  bool upstream_gone_ = false;                ///< no more requests can go there
  bool last_ = false;                         ///< sends what is left, then ends
  bool end_written_ = false, rate_wait_ = false;
  MonoTime last_active_;
  Timer idle_, again_;
};

}  // namespace writ::egress
