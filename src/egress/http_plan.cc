#include "egress/http_plan.h"

#include "egress/interceptor.h"
#include "egress/refusal.h"
#include "net/authority.h"

namespace writ::egress {
namespace {

constexpr std::uint64_t kWholeBodyMax = 64U << 10;  // then a body that may change is sent in chunks

HttpPlan Answering(HttpPlan plan, unsigned status, std::string answer) {
  plan.kind = HttpPlan::Kind::kAnswer;
  plan.status = static_cast<int>(status);
  plan.answer = std::move(answer);
  return plan;
}

policy::EgressVerdict Refused(std::string rule, std::string reason) {
  policy::EgressVerdict verdict;
  verdict.rule = std::move(rule);
  verdict.reason = std::move(reason);
  return verdict;
}

HttpPlan Cutting(HttpPlan plan, int status, std::string reason) {
  const auto& [target, host, via] = plan.destination;
  plan.kind = HttpPlan::Kind::kCut;
  plan.status = status;
  plan.attempt = Attempt{host, target.port, via, Refused("tunnel.host", std::move(reason)), plan.method, {}};
  return plan;
}

std::string WithoutQuery(std::string_view path) { return std::string(path.substr(0, path.find('?'))); }

/// Takes out what is between the client and the proxy only, and keeps an upgrade that may be passed on. HTTP/2 in clear
/// text is not: its requests could not be judged.
void CleanFields(net::Http1RequestHead& head, HttpPlan& plan) {
  const std::string* wanted = net::FindField(head.fields, "Upgrade");
  plan.upgrade = wanted != nullptr && net::HasListItem(head.fields, "Connection", "upgrade") &&
                 !net::HasListItem(head.fields, "Upgrade", "h2c");
  const std::string upgrade = plan.upgrade ? *wanted : std::string();
  net::RemoveHopByHop(head.fields);
  net::RemoveField(head.fields, "HTTP2-Settings");
  const bool length = plan.framing == net::BodyFraming::kLength;
  net::SetBodyFields(head.fields, {plan.framing, length ? plan.body.length_bytes : 0});
  if (plan.framing == net::BodyFraming::kChunked) head.minor = 1;
  if (plan.upgrade) {
    net::SetField(head.fields, "Connection", "Upgrade");
    net::SetField(head.fields, "Upgrade", upgrade);
  } else if (head.minor == 0) {
    net::SetField(head.fields, "Connection", plan.keep_alive ? "keep-alive" : "close");
  }
}

/// Takes care of secrets in a request that is granted otherwise. False: the plan answers that it is refused.
bool PlanSecrets(net::Http1RequestHead& head, HttpPlan& plan, const CoreSettings& settings, bool secured,
                 bool explain) {
  plan.framing = plan.body.framing;
  if (!settings.interceptor || settings.interceptor->secrets().empty()) return true;
  const EdgeSecrets& secrets = settings.interceptor->secrets();
  const SecretScope scope{plan.destination.target.host, secured};
  const std::string path = plan.attempt ? plan.attempt->path : WithoutQuery(head.target);
  const SecretsInHead done = PutSecretsIntoHead(secrets, scope, head);
  if (done.refusal) {
    const std::string refusal = RefusalBody(*done.refusal, explain);
    plan.attempt = Attempt{plan.destination.host, plan.destination.target.port, plan.destination.via, *done.refusal,
                           head.method,           path};
    plan = Answering(std::move(plan), 403, refusal);
    return false;
  }
  const bool body = plan.body.framing == net::BodyFraming::kChunked || plan.body.length_bytes > 0;
  plan.look_for_secrets = body;
  plan.released = secrets.Released(scope);
  plan.hides = secrets.BelongsTo(scope.host);
  if (!plan.hides) return true;
  // Answers must come whole and plain, or a value could not be found in them.
  net::SetField(head.fields, "Accept-Encoding", "identity");
  net::RemoveField(head.fields, "Range");
  net::RemoveField(head.fields, "If-Range");
  if (!body || !plan.released) return true;
  plan.whole_first = plan.body.framing == net::BodyFraming::kLength && plan.body.length_bytes <= kWholeBodyMax;
  plan.framing = plan.whole_first ? net::BodyFraming::kNone : net::BodyFraming::kChunked;
  plan.expects = plan.whole_first && net::HasListItem(head.fields, "Expect", "100-continue");
  if (plan.whole_first) net::RemoveField(head.fields, "Expect");
  return true;
}

/// The head of a request that is granted; fails closed when it cannot be written.
HttpPlan Forwarding(HttpPlan plan, const net::Http1RequestHead& head) {
  auto written = net::WriteRequestHead(head);
  if (!written) return Answering(std::move(plan), 400, written.error().reason);
  plan.kind = HttpPlan::Kind::kForward;
  plan.head = *std::move(written);
  return plan;
}

HttpPlan PlanConnect(HttpPlan plan, const net::Http1RequestHead& head, const policy::EgressRules& rules,
                     const CoreSettings& settings) {
  const net::ConnectAuthority authority = net::ParseConnectAuthority(head.target);
  const auto host = net::NormaliseHost(authority.host);
  const auto port = authority.UsablePort();
  auto& [target, host_text, via] = plan.destination;
  via = "connect";
  host_text = host && !settings.warrant_exact ? host->ToText() : authority.host;
  policy::EgressVerdict verdict = Refused("default", "this is not a host and a port");
  if (host && port) {
    target = {*host, *port, authority.host};
    verdict = policy::DecideEgress(rules, target);
  }
  plan.by_request = verdict.intercept;
  plan.kind = verdict.allowed ? HttpPlan::Kind::kTunnel : HttpPlan::Kind::kConnectRefused;
  plan.attempt = Attempt{host_text, port.value_or(0), via, std::move(verdict), {}, {}};
  return plan;
}

}  // namespace

HttpPlan PlanRefusedHead(const net::Http1Refusal& refusal) { return Answering({}, refusal.status, refusal.reason); }

HttpPlan PlanProxyRequest(net::Http1RequestHead head, const policy::EgressRules& rules, const CoreSettings& settings) {
  HttpPlan plan;
  plan.method = head.method;
  plan.minor = head.minor;
  plan.keep_alive = net::KeepsOpen(head.minor, head.fields);
  if (head.method == "CONNECT") return PlanConnect(std::move(plan), head, rules, settings);
  const auto body = net::RequestBody(head);
  if (!body) {
    plan.keep_alive = false;  // where the next request would begin is unknown
    return Answering(std::move(plan), body.error().status, body.error().reason);
  }
  plan.body = *body;
  const auto where = net::ParseRequestTarget(head);
  const bool absolute =
      where && where->form == net::Http1Target::Form::kAbsolute && (where->scheme == "http" || where->scheme == "ws");
  if (!absolute) return Answering(std::move(plan), 400, std::string(kNotAbsolute));

  auto& [target, host_text, via] = plan.destination;
  target = {where->host, where->port_or_default(), where->hostname};
  host_text = settings.warrant_exact ? where->hostname : where->host.ToText();
  via = "http";
  policy::EgressVerdict verdict = policy::DecideEgress(rules, target);
  if (verdict.allowed && verdict.intercept) verdict = policy::DecideRequest(rules, target, head.method, where->path);
  const bool allowed = verdict.allowed;
  const std::string refusal = allowed ? std::string() : RefusalBody(verdict, !settings.warrant_exact);
  plan.attempt = Attempt{host_text, target.port, via, std::move(verdict), head.method, WithoutQuery(where->path)};
  if (!allowed) return Answering(std::move(plan), 403, refusal);
  head.target = where->path;
  if (!PlanSecrets(head, plan, settings, false, !settings.warrant_exact)) return plan;
  CleanFields(head, plan);
  std::string authority = target.host.ToUrlText();
  if (where->port) authority += fmt::format(":{}", *where->port);
  // RFC 9112 section 3.2.2: the target names the host, whatever Host says. With an address there is no name to forge.
  if (!target.host.address || net::FindField(head.fields, "Host") == nullptr) {
    net::SetField(head.fields, "Host", authority);
  }
  if (settings.upstream) {
    head.target = fmt::format("http://{}{}", authority, where->path);
    if (!settings.upstream->authorization.empty()) {
      net::SetField(head.fields, "Proxy-Authorization", settings.upstream->authorization);
    }
  }
  return Forwarding(std::move(plan), head);
}

HttpPlan JudgeTunnelRequest(net::Http1RequestHead& head, const net::Http1Body& body, const policy::EgressRules& rules,
                            const CoreSettings& settings, const Destination& destination, TunnelKind kind) {
  HttpPlan plan;
  plan.method = head.method;
  plan.minor = head.minor;
  plan.keep_alive = net::KeepsOpen(head.minor, head.fields);
  plan.destination = destination;
  plan.body = body;
  const auto where = net::ParseRequestTarget(head);
  if (!where) return Cutting(std::move(plan), 400, where.error().reason);
  const bool whole = where->form == net::Http1Target::Form::kAsterisk || where->form == net::Http1Target::Form::kOrigin;
  if (!whole) {
    return Cutting(std::move(plan), 421, "a request inside a tunnel names another destination in its first line");
  }
  if (const auto& host = destination.target.host; !host.address) {
    const std::string* named = net::FindField(head.fields, "Host");
    const auto authority = net::ParseAuthority(named == nullptr ? std::string_view() : *named);
    if (!authority || authority->host != host) {
      return Cutting(std::move(plan), 421, "a request inside the tunnel does not name its host");
    }
  }
  if (kind.by_request || kind.secured) {
    const std::string path = where->form == net::Http1Target::Form::kAsterisk ? "*" : where->path;
    auto verdict = policy::DecideRequest(rules, destination.target, head.method, path);
    const bool allowed = verdict.allowed;
    const std::string refusal = allowed ? std::string() : RefusalBody(verdict, true);
    plan.attempt = Attempt{destination.host, destination.target.port, destination.via, std::move(verdict),
                           head.method,      WithoutQuery(path)};
    if (!allowed) return Answering(std::move(plan), 403, refusal);
  }
  if (PlanSecrets(head, plan, settings, kind.secured, true)) plan.kind = HttpPlan::Kind::kForward;
  return plan;
}

HttpPlan PlanTunnelRequest(net::Http1RequestHead head, const policy::EgressRules& rules, const CoreSettings& settings,
                           const Destination& destination, TunnelKind kind) {
  const auto body = net::RequestBody(head);
  if (!body) {
    HttpPlan plan;
    plan.method = head.method;
    plan.destination = destination;
    return Cutting(std::move(plan), 400, body.error().reason);
  }
  HttpPlan plan = JudgeTunnelRequest(head, *body, rules, settings, destination, kind);
  if (plan.kind != HttpPlan::Kind::kForward) return plan;
  CleanFields(head, plan);
  return Forwarding(std::move(plan), head);
}

ResponsePlan PlanResponse(net::Http1ResponseHead head, const HttpPlan& request) {
  ResponsePlan plan;
  const bool interim = head.status < 200, switching = head.status == 101;
  if (switching && !request.upgrade) return plan;
  const auto body = net::ResponseBody(head, request.method);
  if (!body || (body->framing == net::BodyFraming::kChunked && request.minor == 0)) return plan;
  plan.body = *body;
  plan.framing = body->framing;
  if (request.hides && body->framing == net::BodyFraming::kLength && body->length_bytes > 0) {  // what is found in it changes its length
    plan.framing = request.minor == 0 ? net::BodyFraming::kUntilClose : net::BodyFraming::kChunked;
  }
  const std::string* coding = net::FindField(head.fields, "Content-Encoding");
  const bool encoded = coding != nullptr && (net::CountFields(head.fields, "Content-Encoding") > 1 ||
                                             !net::FieldNameIs(*coding, "identity"));
  if (request.hides && encoded && body->framing != net::BodyFraming::kNone) return plan;
  plan.keep_server = net::KeepsOpen(head.minor, head.fields) && body->framing != net::BodyFraming::kUntilClose;
  plan.keep_client = request.keep_alive && plan.framing != net::BodyFraming::kUntilClose;
  const std::string* protocol = net::FindField(head.fields, "Upgrade");
  const std::string upgrade = switching && protocol != nullptr ? *protocol : std::string();
  net::RemoveHopByHop(head.fields);
  if (body->framing != net::BodyFraming::kNone) net::SetBodyFields(head.fields, {plan.framing, body->length_bytes});
  if (switching) {
    net::SetField(head.fields, "Connection", "Upgrade");
    if (!upgrade.empty()) net::SetField(head.fields, "Upgrade", upgrade);
  } else if (!interim && !plan.keep_client) {
    net::SetField(head.fields, "Connection", "close");
  } else if (!interim && request.minor == 0) {
    net::SetField(head.fields, "Connection", "keep-alive");
  }
  head.minor = 1;
  auto written = net::WriteResponseHead(head);
  if (!written) return plan;
  plan.head = interim && !switching && request.minor == 0 ? std::string() : *std::move(written);
  plan.kind = switching ? ResponsePlan::Kind::kSwitch
              : interim ? ResponsePlan::Kind::kInterim
                        : ResponsePlan::Kind::kFinal;
  return plan;
}

}  // namespace writ::egress
