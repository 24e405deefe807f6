#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "egress/body_flow.h"
#include "egress/dial.h"
#include "egress/edge_secrets.h"
#include "egress/http_plan.h"
#include "egress/http_side.h"

namespace writ::egress {

// Of both relays:
inline constexpr std::size_t kBufferBytes = 64U << 10;  ///< what waits for one side before the other side is read again
inline constexpr int kStepsPerTurn = 64;                ///< then the others have their turn
inline constexpr Millis kLingerTimeout{2'000};          ///< for the client to take the last of it

/// Everything a relay inside a tunnel is made of.
struct RelayParts {
  Destination destination;
  TunnelKind kind;
  sys::UniqueFd client;
  Dialed upstream;
  std::string from_client;  ///< read already
  std::unique_ptr<TlsStream> client_tls, upstream_tls;  ///< where TLS ends here, both after their handshakes
  std::string upstream_failure;  ///< why there is no upstream: what requests are answered with
};

/// Serves one connection of the proxy's HTTP door.
void ServeHttpProxy(Core& core, sys::UniqueFd client);
/// Serves HTTP that was found inside a tunnel to a granted destination: every request must name it.
void StartRelayInTunnel(Core& core, RelayParts parts);

/// Reads requests of one connection, one after the other, judges each, and exchanges it with its upstream. What could
/// be read in two ways is refused, never forwarded. A connection to the same destination is used again.
class HttpRelay final : public Connection, public DialOwner {
 public:
  HttpRelay(Core& core, sys::UniqueFd client);
  HttpRelay(Core& core, RelayParts parts);
  Result<> Start();
  void Rejudge() override;

 private:
  enum class Phase : std::uint8_t {
    kHead,      ///< waits for a complete request head
    kCollect,   ///< waits for a complete request body whose length has to be known
    kDial,      ///< waits for the upstream connection
    kExchange,  ///< request body out, response in
    kRaw,       ///< another protocol inside TLS: bytes both ways
    kLast,      ///< sends what is left, then ends
    kLinger     ///< everything is sent: the client may finish reading
  };
  void OnReady(Watch& watch, std::uint32_t events) override;
  void OnDue(Timer& timer) override;
  void OnClose() override;
  void OnDialed(Result<Dialed> dialed) override;

  void LimitHeads();
  void Turn();
  bool Step();
  bool FlushBoth();
  bool FillCounted(HttpSide& side);

  bool StepHead();
  bool StepRequestBody(std::string& to);
  bool StepCollect();
  bool StepRaw();
  bool StepResponse();
  bool StepResponseHead();
  bool StepResponseBody();
  bool StepLinger();
  void CarryOut(HttpPlan plan);
  BodyFlow RequestBody(net::BodyFraming framing);
  BodyFlow ResponseBody(const ResponsePlan& response) const;
  void Hide(net::Http1ResponseHead& head) const;
  void Collect();
  void RefuseBody();
  void StartDial();
  void Pass(ResponsePlan response);
  void Forward();
  void OpenTunnel(Dialed dialed);
  void BecomeTunnel(std::string to_client);
  bool PassRaw(HttpSide& from, HttpSide& to, bool& told, bool out);
  void FinishExchange();
  void AwaitRequest();
  void UpstreamFailed();
  void AnswerAndEnd(int status, std::string_view body);
  void Last(std::string bytes);
  void CutWith(policy::EgressVerdict verdict);
  void RearmIdle();

  const bool in_tunnel_;
  const TunnelKind kind_;
  const std::string upstream_failure_;
  HttpSide client_, server_;
  std::optional<Destination> destination_;  ///< of server_, or of the dial
  Endpoint remote_;
  HostBytes* account_ = nullptr;
  std::unique_ptr<Dial> dial_;
  Phase phase_ = Phase::kHead;
  HttpPlan plan_;  ///< the request under way
  BodyFlow request_body_, response_body_;
  std::shared_ptr<PlaceholderFilter> body_filter_;  ///< of request_body_
  std::string whole_body_;                          ///< kCollect
  bool client_told_ = false, server_told_ = false;  ///< kRaw: the end was passed on to it
  bool response_head_done_ = false, response_started_ = false, keep_client_ = false, keep_server_ = false;
  bool reused_ = false;  ///< the upstream connection served a request before
  bool any_request_ = false, rate_wait_ = false;
  MonoTime last_active_, head_by_;
  Timer idle_, again_;
};

}  // namespace writ::egress
