#include "egress/http2_plan.h"

#include <algorithm>
#include <cctype>

#include "crypto/secret.h"
#include "egress/refusal.h"

namespace writ::egress {
namespace {

Http2Plan Answering(Http2Plan plan, int status, std::string answer) {
  plan.plan.kind = HttpPlan::Kind::kAnswer;
  const auto& [target, host, via] = plan.plan.destination;
  policy::EgressVerdict verdict;
  verdict.rule = "tunnel.host";
  verdict.reason = answer;
  plan.plan.attempt = Attempt{host, target.port, via, std::move(verdict), {}, {}};
  plan.plan.status = status;
  plan.plan.answer = std::move(answer);
  return plan;
}

/// The request as HTTP/1.1 says it: two ways of writing that mean the same are judged the same.
net::Http1Result<net::Http1RequestHead> AsHttp1(net::Http1Fields fields) {
  net::Http1RequestHead head;
  std::string authority, scheme;
  for (auto& [name, value] : fields) {
    if (name == ":method") {
      head.method = value;
    } else if (name == ":path") {
      head.target = value;
    } else if (name == ":authority") {
      authority = value;
    } else if (name == ":scheme") {
      scheme = value;
    } else {
      head.fields.push_back({name, std::move(value)});
    }
  }
  const auto bad = [](std::string reason) { return std::unexpected(net::Http1Refusal{400, std::move(reason)}); };
  if (head.method == "CONNECT") return bad("a tunnel inside an intercepted connection");
  if (scheme != "https") return bad("the scheme of a request inside TLS is https");
  const std::size_t hosts = net::CountFields(head.fields, "host");
  const std::string* host = net::FindField(head.fields, "host");
  if (hosts > 1 || (host != nullptr && !authority.empty() && *host != authority)) {
    return bad("a request names two hosts");
  }
  if (authority.empty() && host != nullptr) authority = *host;
  net::RemoveField(head.fields, "host");
  const bool trailers = net::HasListItem(head.fields, "te", "trailers");
  net::RemoveHopByHop(head.fields);
  if (trailers) head.fields.push_back({"te", "trailers"});
  head.fields.insert(head.fields.begin(), {"host", authority});
  const auto written = net::WriteRequestHead(head);
  if (!written) return bad(written.error().reason);
  return net::ParseRequestHead(*written);  // refuses what HTTP/1.1 refuses
}

/// RFC 9113 section 8.2: names are in lower case.
void LowerNames(net::Http1Fields& fields) {
  for (auto& field : fields) {
    std::ranges::transform(field.name, field.name.begin(),
                           [](unsigned char c) { return c < 0x80 ? static_cast<char>(std::tolower(c)) : c; });
  }
}

}  // namespace

Http2Plan PlanHttp2Request(Http2Head came, const policy::EgressRules& rules, const CoreSettings& settings,
                           const Destination& destination, TunnelKind kind) {
  Http2Plan done;
  done.plan.destination = destination;
  if (came.too_large) return Answering(std::move(done), 431, "the request has too many fields");
  auto head = AsHttp1(std::move(came.fields));
  if (!head) return Answering(std::move(done), static_cast<int>(head.error().status), head.error().reason);
  const net::Http1Body body{came.last ? net::BodyFraming::kNone : net::BodyFraming::kChunked, 0};
  done.plan = JudgeTunnelRequest(*head, body, rules, settings, destination, kind);
  if (done.plan.kind != HttpPlan::Kind::kForward) return done;
  auto checked = net::WriteRequestHead(*head);  // a value of a secret may not fit into a field
  if (!checked) return Answering(std::move(done), 400, checked.error().reason);
  crypto::Wipe(*checked);
  const std::string* authority = net::FindField(head->fields, "host");
  done.fields = {{":method", head->method}, {":scheme", "https"}};
  if (authority != nullptr && !authority->empty()) done.fields.push_back({":authority", *authority});
  done.fields.push_back({":path", head->target});
  net::RemoveField(head->fields, "host");
  if (done.plan.released && !came.last) net::RemoveField(head->fields, "content-length");  // the body changes
  LowerNames(head->fields);
  for (auto& field : head->fields) done.fields.push_back(std::move(field));
  return done;
}

Http2ResponsePlan PlanHttp2Response(Http2Head head, const EdgeSecrets* secrets) {
  Http2ResponsePlan plan;
  const std::string* status = net::FindField(head.fields, ":status");
  if (head.too_large || status == nullptr || status->size() != 3) return plan;
  plan.interim = status->front() == '1';
  if (plan.interim && head.last) return plan;
  if (secrets != nullptr) {
    const std::string* coding = net::FindField(head.fields, "content-encoding");
    const bool encoded = coding != nullptr && (net::CountFields(head.fields, "content-encoding") > 1 ||
                                               !net::FieldNameIs(*coding, "identity"));
    if (encoded && !head.last) return plan;  // a value could not be found in it
    const std::string kept = *status;
    HideSecrets(*secrets, head.fields);
    net::SetField(head.fields, ":status", kept);
    if (!head.last) net::RemoveField(head.fields, "content-length");
  }
  plan.fields = std::move(head.fields);
  plan.good = true;
  return plan;
}

net::Http1Fields Http2Answer(int status, std::string_view body, WallTime now) {
  return {{":status", std::to_string(status)},
          {"date", HttpDate(now)},
          {"content-type", "text/plain; charset=utf-8"},
          {"content-length", std::to_string(body.size())}};
}

}  // namespace writ::egress
