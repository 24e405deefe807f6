#pragma once

#include <memory>
#include <optional>
#include <string>

#include "egress/body_flow.h"
#include "egress/dial.h"
#include "egress/http_plan.h"
#include "egress/http_side.h"

namespace writ::egress {

/// Everything a relay inside a tunnel is made of.
struct RelayParts {
  Destination destination;
  bool by_request = false;  ///< each request has to be granted as such
  sys::UniqueFd client;
  Dialed upstream;
  std::string from_client;  ///< read already
};

/// Serves one connection of the proxy's HTTP door.
void ServeHttpProxy(Core& core, sys::UniqueFd client);
/// Serves plain HTTP that was found inside a tunnel to a granted destination: every request must name it.
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
    kDial,      ///< waits for the upstream connection
    kExchange,  ///< request body out, response in
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
  bool StepRequestBody();
  bool StepResponse();
  bool StepResponseHead();
  bool StepResponseBody();
  bool StepLinger();
  void CarryOut(HttpPlan plan);
  void StartDial();
  void Pass(ResponsePlan response);
  void Forward();
  void OpenTunnel(Dialed dialed);
  void BecomeTunnel(std::string to_client);
  void FinishExchange();
  void AwaitRequest();
  void UpstreamFailed();
  void AnswerAndEnd(int status, std::string_view body);
  void Last(std::string bytes);
  void CutWith(policy::EgressVerdict verdict);
  void RearmIdle();

  const bool in_tunnel_;
  const bool by_request_;
  HttpSide client_, server_;
  std::optional<Destination> destination_;  ///< of server_, or of the dial
  Endpoint remote_;
  HostBytes* account_ = nullptr;
  std::unique_ptr<Dial> dial_;
  Phase phase_ = Phase::kHead;
  HttpPlan plan_;  ///< the request under way
  BodyFlow request_body_, response_body_;
  bool response_head_done_ = false, response_started_ = false, keep_client_ = false, keep_server_ = false;
  bool reused_ = false;  ///< the upstream connection served a request before
  bool any_request_ = false, rate_wait_ = false;
  MonoTime last_active_, head_by_;
  Timer idle_, again_;
};

}  // namespace writ::egress
