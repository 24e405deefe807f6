#include "egress/dns_stub.h"

#include "base/escape.h"

namespace writ::egress {

std::string DnsStub::Answer(ByteView message, std::size_t bytes_max) {
  const net::DnsQuery query = net::ParseDnsQuery(message);
  if (query.kind == net::DnsQuery::Kind::kDrop) return {};
  if (bytes_max == 0) bytes_max = query.udp_bytes_max;
  net::DnsAnswer answer;
  if (query.kind == net::DnsQuery::Kind::kRefuse) {
    answer.rcode = query.refusal;
  } else {
    answer = Decide(query);
    if (core_.failed()) return {};
  }
  return net::BuildDnsAnswer(query, answer, bytes_max);
}

net::DnsAnswer DnsStub::Decide(const net::DnsQuery& query) {
  net::DnsAnswer answer;
  answer.rcode = net::DnsRcode::kNxDomain;
  const auto host = net::NormaliseHost(query.name);
  if (!host || host->address) {
    policy::EgressVerdict verdict;
    verdict.reason = "this is not the name of a host";
    RecordRefused(EscapeVisible(query.name), std::move(verdict));
    return answer;
  }
  policy::EgressVerdict verdict = policy::DecideName(core_.rules(), *host);
  if (!verdict.allowed) {
    RecordRefused(host->name, std::move(verdict));
    return answer;
  }
  const auto addresses = core_.names.Map(host->name);
  answer.rcode = addresses ? net::DnsRcode::kNoError : net::DnsRcode::kServFail;
  if (!addresses) return answer;
  if (query.type == net::kDnsA) answer.addresses.push_back(addresses->v4);
  if (query.type == net::kDnsAaaa) answer.addresses.push_back(addresses->v6);
  answer.ttl_s = kTtlSeconds;
  return answer;
}

bool DnsStub::RecordRefused(const std::string& name, policy::EgressVerdict verdict) {
  auto found = refused_.find(name);
  if (found == refused_.end() && refused_.size() >= core_.settings.limits.names_max) {
    found = refused_.find(Ledger::kOthers);
    if (found != refused_.end()) return ++found->second, true;
    refused_[Ledger::kOthers] = 1;
    return core_.Record({Ledger::kOthers, 0, "dns", std::move(verdict), {}, {}});
  }
  if (found != refused_.end()) return ++found->second, true;
  refused_[name] = 1;
  return core_.Record({name, 0, "dns", std::move(verdict), {}, {}});
}

}  // namespace writ::egress
