#pragma once

#include "egress/edge_secrets.h"
#include "egress/http2_session.h"
#include "egress/http_plan.h"

namespace writ::egress {

/// What is to be done about one request of an HTTP/2 stream.
struct Http2Plan {
  HttpPlan plan;             ///< kForward, or `status` is answered: kAnswer with `answer`, kCut with its reason
  net::Http1Fields fields;   ///< kForward: for the upstream, pseudo-header fields first
};
/// The same rules as inside a tunnel of HTTP/1.1 (http_plan.h): a request of another authority is 421, one that HTTP/1.1
/// could not say is 400.
Http2Plan PlanHttp2Request(Http2Head head, const policy::EgressRules& rules, const CoreSettings& settings,
                           const Destination& destination, TunnelKind kind);

/// What is to be done about the head of an answer.
struct Http2ResponsePlan {
  bool good = false;  ///< else it must not be passed on
  bool interim = false;
  net::Http1Fields fields;
};
/// `secrets`: whose values the request was given, or null.
Http2ResponsePlan PlanHttp2Response(Http2Head head, const EdgeSecrets* secrets);

/// The fields of an answer of the proxy itself, with a body of text.
net::Http1Fields Http2Answer(int status, std::string_view body, WallTime now);

}  // namespace writ::egress
