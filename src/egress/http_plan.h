#pragma once

#include <optional>
#include <string>

#include "egress/attempt.h"
#include "egress/core.h"
#include "egress/dial.h"
#include "net/http1.h"
#include "net/http1_body.h"

namespace writ::egress {

/// What is to be done about one request. A plain value: no I/O was done for it, nothing was recorded yet.
struct HttpPlan {
  enum class Kind : std::uint8_t {
    kForward,         ///< exchange it with `destination`
    kTunnel,          ///< connect to `destination`, then pass bytes
    kAnswer,          ///< answer `status` and `answer`
    kConnectRefused,  ///< the fixed bytes of the protocol
    kCut              ///< reset the connection; HTTP/2 answers `status` on the stream
  };
  Kind kind = Kind::kCut;
  std::optional<Attempt> attempt;  ///< to be recorded before anything else
  Destination destination;
  bool by_request = false;  ///< kTunnel: only some requests are granted
  std::string head;         ///< kForward: for the upstream
  net::Http1Body body;
  net::BodyFraming framing = net::BodyFraming::kNone;  ///< of the body as it is forwarded
  bool look_for_secrets = false;  ///< the body may hold placeholders
  bool released = false;          ///< values may be in what is forwarded
  bool hides = false;             ///< values may be in the answer: also without TLS, when one was stored inside it
  bool whole_first = false;       ///< the body changes: its length has to be known before `head`, which lacks it, goes
  bool expects = false;           ///< whole_first: the client waits for a 100 before it sends the body
  int status = 0;
  std::string answer;
  std::string method;
  unsigned minor = 1;       ///< of the client's version
  bool keep_alive = false;  ///< the client's wish
  bool upgrade = false;     ///< another protocol may follow a 101

  bool head_only() const { return method == "HEAD"; }
  /// Whether it may be sent again after a kept connection ended without an answer.
  bool repeatable() const {
    return body.framing == net::BodyFraming::kNone && (method == "GET" || method == "HEAD" || method == "OPTIONS");
  }
};

/// A request at the proxy's door: CONNECT, or HTTP in absolute form. The answers are those of the Warrant protocol.
HttpPlan PlanProxyRequest(net::Http1RequestHead head, const policy::EgressRules& rules, const CoreSettings& settings);

/// What a tunnel to a granted destination is, for the requests inside it.
struct TunnelKind {
  bool by_request = false;  ///< each request has to be granted by itself
  bool secured = false;     ///< its TLS ends here, and the upstream has proved who it is: every request is recorded
};
/// A request that was found inside a tunnel to `destination`: it must name that host.
HttpPlan PlanTunnelRequest(net::Http1RequestHead head, const policy::EgressRules& rules, const CoreSettings& settings,
                           const Destination& destination, TunnelKind kind);

/// What HTTP/1.1 and HTTP/2 have in common: whether the request may go on, with secrets put into `head`. kForward lacks
/// HttpPlan::head.
HttpPlan JudgeTunnelRequest(net::Http1RequestHead& head, const net::Http1Body& body, const policy::EgressRules& rules,
                            const CoreSettings& settings, const Destination& destination, TunnelKind kind);

/// A request that cannot be read as one.
HttpPlan PlanRefusedHead(const net::Http1Refusal& refusal);

/// What is to be done about the head of a response.
struct ResponsePlan {
  enum class Kind : std::uint8_t {
    kBad,      ///< not to be passed on
    kInterim,  ///< pass `head` on, another one follows
    kSwitch,   ///< pass `head` on, then bytes both ways
    kFinal     ///< pass `head` and then the body on
  };
  Kind kind = Kind::kBad;
  std::string head;
  net::Http1Body body;
  net::BodyFraming framing = net::BodyFraming::kNone;  ///< of the body as it is passed on
  bool keep_client = false, keep_server = false;
};
ResponsePlan PlanResponse(net::Http1ResponseHead head, const HttpPlan& request);

}  // namespace writ::egress
