#include "session/egress_session.h"

#include <algorithm>
#include <utility>

#include "contract/contract.h"
#include "contract/event.h"
#include "session/connection_cap.h"

namespace writ::session {
namespace {

namespace event = contract::event;
using canon::Json;

constexpr std::size_t kPathShownMax = 1024, kMethodShownMax = 32, kReasonShownMax = 1024;

/// network.connected as the original protocol has it, with what it has no member for under `writ`. Values are taken out
/// before anything is cut: the beginning of one would not be found.
Json AttemptEvent(const egress::Attempt& attempt, const Redaction& redaction) {
  Json json = event::NetworkConnected(attempt.host, attempt.verdict.allowed);
  Json writ = Json::Of({{"v", contract::kExtensionVersion}, {"via", attempt.via}, {"rule", attempt.verdict.rule}});
  if (attempt.port != 0) writ.Set("port", std::uint64_t{attempt.port});
  if (!attempt.verdict.reason.empty()) writ.Set("reason", contract::FitText(Redact(redaction, attempt.verdict.reason), kReasonShownMax));
  if (!attempt.verdict.smallest_grant.empty()) writ.Set("grant", attempt.verdict.smallest_grant);
  if (!attempt.method.empty()) writ.Set("method", contract::FitText(Redact(redaction, attempt.method), kMethodShownMax));
  if (!attempt.path.empty()) writ.Set("path", contract::FitText(Redact(redaction, attempt.path), kPathShownMax));
  json.Set("writ", std::move(writ));
  return json;
}

}  // namespace

Result<std::unique_ptr<EgressSession>> EgressSession::Open(isolation::NetworkDoors doors, const EgressOrder& order, EventLog& log,
                                                           isolation::Session& guest, const Redaction& redaction) {
  std::unique_ptr<EgressSession> opened(new EgressSession(log, guest, redaction));
  opened->resolver_ = WRIT_TRY("network", egress::SystemResolver());
  egress::Doors served;
  served.http_proxy = std::move(doors.proxy);
  served.transparent4 = std::move(doors.transparent4);
  served.transparent6 = std::move(doors.transparent6);
  served.dns_udp4 = std::move(doors.dns_udp4);
  served.dns_tcp4 = std::move(doors.dns_tcp4);
  served.dns_udp6 = std::move(doors.dns_udp6);
  served.dns_tcp6 = std::move(doors.dns_tcp6);
  egress::ProxyOptions options;
  options.rules = order.rules;
  options.limits.bytes_max = order.budget_bytes;
  options.limits.connections_max = ConnectionsFor(options.limits.connections_max);
  options.upstream = order.upstream;
  options.warrant_exact = order.warrant_answers;
  options.interception = order.interception;
  if (order.interception) opened->authority_ = order.interception->authority->certificate_sha256();
  opened->proxy_ = WRIT_TRY("network", egress::Proxy::Start(std::move(served), std::move(options), *opened->resolver_, *opened));
  return opened;
}

Result<> EgressSession::OnAttempt(const egress::Attempt& attempt) {
  const std::lock_guard lock(mutex_);
  if (++attempts_ > kAttemptsMax) {
    guest_.Kill(isolation::Termination::kEgressBudget);
    return Fail(Code::kExhausted, "the run made more than {} network attempts", kAttemptsMax);
  }
  auto& use = uses_[{attempt.host, attempt.port}];
  ++(attempt.verdict.allowed ? use.connections : use.refused);
  return Append(AttemptEvent(attempt, redaction_));
}

Result<> EgressSession::OnIntercepted(const std::string& host, std::uint16_t port, std::string_view protocol) {
  const std::lock_guard lock(mutex_);
  auto& known = uses_[{host, port}].intercepted;
  if (std::ranges::find(known, protocol) != known.end()) return {};
  known.emplace_back(protocol);
  std::ranges::sort(known);
  return Append(event::Extension(
      "writ.network.intercepted",
      Json::Of({{"host", host}, {"port", std::uint64_t{port}}, {"alpn", protocol}, {"authority", authority_}})));
}

/// Precondition: mutex_ is held.
Result<> EgressSession::Append(Json json) {
  RedactEvent(redaction_, json);
  auto logged = log_.Append(std::move(json));
  if (!logged) broken_ = logged.error();
  return logged;
}

void EgressSession::OnBudget(std::uint64_t) { guest_.Kill(isolation::Termination::kEgressBudget); }

Result<> EgressSession::Change(RuleUpdate update) {
  {
    const std::lock_guard lock(mutex_);
    WRIT_TRY("decision", update.record());
    if (!update.rules) return {};
    WRIT_TRY("log", log_.Append(std::move(update.event)));
  }
  return proxy_->ChangeRules(*std::move(update.rules));
}

Result<> EgressSession::Health() {
  const std::lock_guard lock(mutex_);
  if (broken_) return std::unexpected(*broken_);
  return {};
}

Result<> EgressSession::Served() {
  {
    const std::lock_guard lock(mutex_);
    if (broken_ || attempts_ > kAttemptsMax) return {};  // Health tells the one; the other ended the guest already
  }
  return proxy_->Health();
}

void EgressSession::Cut() {
  if (proxy_) proxy_->Close();
}

Json EgressSession::UsedFacts() {
  for (const auto& [to, bytes] : proxy_->Totals()) {
    auto& use = uses_[to];
    use.bytes_in = bytes.in;
    use.bytes_out = bytes.out;
  }
  std::vector<contract::HostUse> hosts;
  for (auto& [to, use] : uses_) {
    use.host = redaction_ == nullptr ? to.host : Redact(redaction_, to.host);
    use.port = to.port;
    hosts.push_back(use);
  }
  Json facts = Json::MakeObject();
  contract::SetNetwork(facts, std::move(hosts), 0);
  return facts;
}

Result<> EgressSession::Close() {
  Cut();  // its thread has ended: nobody else uses the log or the members from here on
  if (broken_) return std::unexpected(*broken_);
  if (uses_.empty()) return {};
  return log_.Append(event::Extension("writ.network.used", UsedFacts()));
}

}  // namespace writ::session
