#include "plane/proposal.h"

#include <algorithm>

#include "contract/extension.h"
#include "contract/hash.h"
#include "contract/names.h"
#include "policy/egress_rule.h"

namespace writ::plane {

using canon::Json;

namespace {

std::string TierOf(const RunRequest& request, const std::map<std::string, std::string>& isolation_tiers) {
  if (request.writ && request.writ->tier) return *request.writ->tier;
  const std::string isolation = request.isolation.value_or("process");
  const auto mapped = isolation_tiers.find(isolation);
  if (mapped != isolation_tiers.end()) return mapped->second;
  return isolation;
}

/// What was asked for, else the defaults as far as the policy allows them.
Limits LimitsOf(const RunRequest& request, const policy::Policy& policy) {
  Limits limits;
  for (const LimitField& field : LimitFields()) {
    field.set(limits, std::min(field.get(limits), field.get(policy.ceilings)));
    if (!request.writ) continue;
    const auto asked = request.writ->limits.find(field.member);
    if (asked != request.writ->limits.end()) field.set(limits, asked->second);
  }
  const bool wall_asked = request.writ && request.writ->limits.contains("wallTimeMs");
  const contract::ExecutionSpec execution = ExecutionOf(request);
  if (!wall_asked && (execution.timeout_ms || request.budget.duration_min_max)) {
    // The run's own time limit is what its wall clock is for.
    const double millis = execution.timeout_ms ? static_cast<double>(*execution.timeout_ms) : *request.budget.duration_min_max * 60000;
    const double ceiling = static_cast<double>(policy.ceilings.wall_time.count());
    limits.wall_time = Millis{static_cast<std::int64_t>(std::clamp(millis, 1.0, ceiling))};
  }
  return limits;
}

/// Rules of the extension, then the hosts of the plain request. A host that is no rule would match nothing.
std::optional<contract::EgressGrant> GrantOf(const RunRequest& request) {
  contract::EgressGrant grant;
  const bool asked = request.writ && request.writ->egress;
  if (asked) grant = *request.writ->egress;
  grant.open = grant.open || !request.network.default_deny;
  for (const auto& host : request.network.allow_hosts) {
    if (host.find('*') != std::string::npos || host.find(' ') != std::string::npos || !policy::ParseEgressRule(host)) continue;
    if (grant.rules.size() < contract::kEgressRulesMax && std::ranges::find(grant.rules, host) == grant.rules.end())
      grant.rules.push_back(host);
  }
  if (!asked && !grant.open && grant.rules.empty()) return std::nullopt;
  return grant;
}

std::string ToolOf(const RunRequest& request) {
  const contract::ExecutionSpec execution = ExecutionOf(request);
  switch (execution.kind) {
    case contract::ExecutionKind::kArgv: return execution.command;
    case contract::ExecutionKind::kShell: return execution.shell.value_or("sh");
    case contract::ExecutionKind::kAgent: break;
  }
  return execution.agent.kind;
}

contract::ContractExtension ExtensionFor(const RunRequest& request, const policy::Policy& policy,
                                         const std::map<std::string, std::string>& isolation_tiers) {
  const contract::RequestExtension asked = request.writ.value_or(contract::RequestExtension{});
  contract::ContractExtension writ;
  writ.tier = TierOf(request, isolation_tiers);
  writ.weakest = asked.weakest ? *asked.weakest : policy.legacy_runners ? "none" : writ.tier;
  writ.limits = LimitsOf(request, policy);
  writ.accept = asked.accept;
  writ.kill_on_output_limit = asked.kill_on_output_limit;
  writ.inputs = asked.inputs;
  writ.outputs = asked.outputs;
  writ.workspace = asked.workspace;
  writ.root = asked.root;
  writ.env_from_caller = asked.env_from_caller;
  writ.terminal = asked.terminal;
  writ.stdin_content = asked.stdin_content;
  writ.labels = asked.labels;
  writ.on_lost = asked.on_lost;
  writ.egress = GrantOf(request);
  writ.nonce = contract::MakeNonce();
  return writ;
}

}  // namespace

Result<policy::Request> PolicyRequestOf(const RunRequest& request, const policy::Policy& policy, std::string_view identity,
                                        const std::map<std::string, std::string>& isolation_tiers) {
  policy::Request asked;
  asked.agent_kind = request.agent.kind;
  asked.pool = request.pool;
  asked.secrets = request.secret_names;
  asked.hosts = request.network.allow_hosts;
  asked.spend_usd = request.budget.spend_usd_max;
  asked.duration_min = request.budget.duration_min_max;
  asked.identity = std::string(identity);
  asked.tool = ToolOf(request);
  if (request.writ || policy.extended) asked.tier = TierOf(request, isolation_tiers);
  policy::EgressAsk egress;
  // Also a request of the original protocol that turns its network guard off asks for every host there is.
  egress.open = !request.network.default_deny;
  if (request.writ) {
    asked.weakest_tier = request.writ->weakest;
    asked.accepted.insert(request.writ->accept.begin(), request.writ->accept.end());
    if (!request.writ->limits.empty()) {
      Limits limits{};
      // Limits that were not asked for will be within the policy's, so they are no objection.
      for (const LimitField& field : LimitFields()) field.set(limits, 1);
      for (const auto& [member, value] : request.writ->limits) {
        if (const LimitField* field = FindLimitMember(member)) field->set(limits, value);
      }
      asked.limits = limits;
    }
  }
  const bool egress_asked = request.writ && request.writ->egress;
  if (egress_asked) {
    const contract::EgressGrant& grant = *request.writ->egress;
    if (grant.rules.size() + request.network.allow_hosts.size() > contract::kEgressRulesMax)
      return Fail(Code::kInvalid, "request.writ.egress.rules: at most {} rules and hosts together", contract::kEgressRulesMax);
    egress.open = egress.open || grant.open;
    egress.budget_bytes = grant.budget_bytes;
    for (const auto& text : grant.rules)
      egress.rules.push_back(WRIT_TRY("request.writ.egress.rules", policy::ParseEgressRule(text)));
  }
  // Hosts of the original protocol's list are a way out as well: a policy's budget binds them too.
  const bool hosts_asked = policy.egress.budget_bytes && !request.network.allow_hosts.empty();
  if (egress_asked || egress.open || hosts_asked) asked.egress = std::move(egress);
  return asked;
}

Result<contract::Contract> DraftFor(const RunRequest& request, const policy::Policy& policy, std::string run_id,
                                    const std::map<std::string, std::string>& isolation_tiers) {
  contract::Contract draft;
  draft.run_id = std::move(run_id);
  draft.requested_by = request.requested_by;
  draft.agent = request.agent;
  draft.prompt = request.prompt;
  draft.pool = request.pool;
  draft.workspace = contract::ToJson(request.workspace);
  draft.policy_hash = policy.hash;
  for (const auto& name : request.secret_names) {
    const auto rule = std::ranges::find(policy.secrets, name, &policy::SecretRule::name);
    draft.secrets.push_back({name, rule == policy.secrets.end() ? "pool:" + request.pool : rule->scope});
  }
  draft.network = request.network;
  draft.budget = request.budget;
  draft.disclosure = request.disclosure;
  draft.execution = contract::ToJson(ExecutionOf(request));
  draft.isolation = request.isolation;
  draft.continuation = request.continuation;
  if (request.writ || policy.extended) {
    contract::ContractExtension writ = ExtensionFor(request, policy, isolation_tiers);
    // The members of the original protocol say what they can of the grant.
    if (writ.egress && writ.egress->open) draft.network.default_deny = false;
    draft.writ = contract::ToJson(writ);
  }
  return draft;
}

Json ProposalOf(const contract::Contract& draft) {
  Json proposal = contract::ToJson(draft);
  for (const std::string_view name : {"version", "issuedAt", "expiresAt", "issuer", "approvedBy", "signatures"}) proposal.Remove(name);
  if (const Json* writ = proposal.Find("writ"); writ != nullptr && writ->is_object()) {
    Json kept = *writ;
    kept.Remove("decision");
    kept.Remove("approval");
    proposal.Set("writ", std::move(kept));
  }
  return proposal;
}

Result<std::string> DigestOfProposal(const Json& proposal) { return contract::HashCanonical(proposal); }

Result<contract::Contract> DraftFromProposal(const Json& proposal) {
  Json whole = proposal;
  if (!whole.is_object()) return Fail(Code::kInvalid, "the recorded request is no object");
  whole.Set("version", contract::kContractVersion);
  const std::string epoch = FormatTimestamp(WallTime{});
  whole.Set("issuedAt", epoch);
  whole.Set("expiresAt", epoch);
  whole.Set("issuer", Json::Of({{"keyId", "ed25519:0000000000000000"}, {"role", "plane"}}));
  contract::Contract draft = WRIT_TRY("recorded request", contract::DecodeContract(whole));
  if (const Json* writ = proposal.Find("writ")) draft.writ = *writ;
  return draft;
}

}  // namespace writ::plane
