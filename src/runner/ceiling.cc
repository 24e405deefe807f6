#include "runner/ceiling.h"

#include <algorithm>

#include "contract/execution.h"
#include "policy/evaluate.h"
#include "session/egress_order.h"

namespace writ::runner {
namespace {

constexpr std::size_t kNamedMax = 10;

/// What an entry of a plain contract's allowHosts grants, as a rule. One that is no host stays as it is, and no ceiling
/// covers it.
policy::EgressRule AsRule(const policy::EgressRule& rule) {
  if (rule.kind != policy::EgressRule::Kind::kAllowHost) return rule;
  const auto host = net::NormaliseHost(rule.text);
  const auto same = host ? policy::ParseEgressRule(host->address ? host->address->ToUrlText() : host->ToText()) : Result<policy::EgressRule>(rule);
  return same ? *same : rule;
}

Result<std::optional<policy::EgressAsk>> EgressOf(const canon::Json& received) {
  const auto order = WRIT_TRY("contract", session::EgressOrderOf(received));
  if (!order) return std::optional<policy::EgressAsk>();
  policy::EgressAsk ask;
  ask.open = order->rules.open || !order->rules.default_deny;
  ask.budget_bytes = order->budget_bytes;
  for (const auto& rule : order->rules.rules) ask.rules.push_back(AsRule(rule));
  if (!ask.open && ask.rules.empty()) return std::optional<policy::EgressAsk>();  // a way out that leads nowhere
  return std::optional(std::move(ask));
}

}  // namespace

Result<policy::Request> AskOf(const contract::Contract& contract, const canon::Json& received, const Job& job) {
  const auto execution = WRIT_TRY("contract", contract::DecodeExecution(contract.execution, "contract.execution"));
  policy::Request ask;
  const bool agent = execution.kind == contract::ExecutionKind::kAgent;
  ask.agent_kind = agent ? execution.agent.kind : contract.agent.kind;
  ask.pool = contract.pool;
  for (const auto& secret : contract.secrets) ask.secrets.push_back(secret.name);
  ask.spend_usd = contract.budget.spend_usd_max;
  ask.duration_min = contract.budget.duration_min_max;
  ask.tier = job.backend->tier();
  ask.limits = job.asked;
  if (job.writ) ask.accepted.insert(job.writ->accept.begin(), job.writ->accept.end());
  ask.egress = WRIT_TRY("contract", EgressOf(received));
  if (job.writ) ask.identity = job.writ->identity;
  ask.tool = agent ? execution.agent.kind : job.spec.argv.front();
  return ask;
}

policy::Decision JudgeAsk(const policy::Policy& policy, const contract::Contract& contract, policy::Request ask) {
  const policy::Decision decision = policy::Evaluate(policy, ask);
  if (decision.verdict != policy::Verdict::kAllow || ask.agent_kind == contract.agent.kind) return decision;
  ask.agent_kind = contract.agent.kind;
  return policy::Evaluate(policy, ask);
}

std::string RefusalText(const policy::Decision& decision) {
  if (decision.verdict == policy::Verdict::kNeedsApproval)
    return fmt::format("the runner's own policy wants consent ({}), and a runner has nobody to ask: {}", decision.rule, decision.reason);
  std::string text = "denied by the runner's own policy: ";
  const std::size_t named = std::min(decision.denials.size(), kNamedMax);
  for (std::size_t i = 0; i < named; ++i) {
    const policy::Denial& denial = decision.denials[i];
    text += fmt::format("{}{}: {} ({})", i == 0 ? "" : "; ", denial.rule, denial.reason, denial.grant);
  }
  if (decision.denials.size() > named) text += fmt::format("; and {} more", decision.denials.size() - named);
  return text;
}

}  // namespace writ::runner
