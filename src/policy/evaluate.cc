#include "policy/evaluate.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "canon/json.h"

namespace writ::policy {
namespace {

bool Lists(const std::vector<std::string>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

/// A number as ECMAScript prints it; the wording of the protocol depends on it.
std::string Number(double value) {
  const auto text = canon::Canonical(canon::Json(value));
  return text ? *text : std::isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
}

class Evaluation {
 public:
  Evaluation(const Policy& policy, const Request& request) : policy_(policy), request_(request) {}

  Decision Run() {
    JudgeAgentAndPool();
    JudgeSecrets();
    JudgeHosts();
    JudgeBudget();
    JudgeTool();
    JudgeTiers();
    JudgeLimits();
    JudgeAccepted();
    if (request_.egress) std::ranges::move(JudgeEgress(policy_.egress, *request_.egress), std::back_inserter(decision_.denials));
    if (!decision_.denials.empty()) {
      decision_.verdict = Verdict::kDeny;
      decision_.rule = decision_.denials.front().rule;
      decision_.reason = fmt::format("policy denied: {}", fmt::join(decision_.Reasons(), "; "));
      return std::move(decision_);
    }
    CollectConsent();
    if (!decision_.consent.empty()) {
      decision_.verdict = Verdict::kNeedsApproval;
      decision_.rule = decision_.consent.front().rule;
      decision_.reason = fmt::format("consent required: {}", fmt::join(decision_.ConsentRequirements(), "; "));
      return std::move(decision_);
    }
    decision_.verdict = Verdict::kAllow;
    decision_.reason = "policy allows this run";
    return std::move(decision_);
  }

 private:
  void Deny(std::string_view rule, std::string reason, std::string grant) {
    decision_.denials.push_back({std::string(rule), std::move(reason), std::move(grant)});
  }

  void JudgeAgentAndPool() {
    if (!Lists(policy_.agents, request_.agent_kind)) {
      Deny("agents.allow", fmt::format("agent kind \"{}\" is not allowed", request_.agent_kind),
           fmt::format("add \"{}\" to agents.allow", request_.agent_kind));
    }
    if (!Lists(policy_.pools, request_.pool)) {
      Deny("runners.allowPools", fmt::format("runner pool \"{}\" is not allowed", request_.pool),
           fmt::format("add \"{}\" to runners.allowPools", request_.pool));
    }
  }

  void JudgeSecrets() {
    if (policy_.own_secrets) return;
    for (const std::string& name : request_.secrets) {
      const auto rule = std::ranges::find(policy_.secrets, name, &SecretRule::name);
      if (rule == policy_.secrets.end()) {
        Deny("secrets.releasable", fmt::format("secret \"{}\" is not releasable under policy", name),
             fmt::format("add a rule for \"{}\" with pool \"{}\" to secrets.releasable", name, request_.pool));
      } else if (!Lists(rule->pools, request_.pool)) {
        const auto index = rule - policy_.secrets.begin();
        Deny(fmt::format("secrets.releasable[{}]", index),
             fmt::format("secret \"{}\" is not releasable to pool \"{}\"", name, request_.pool),
             fmt::format("add \"{}\" to secrets.releasable[{}].pools", request_.pool, index));
      }
    }
  }

  void JudgeHosts() {
    if (!policy_.default_deny) return;
    for (const std::string& host : request_.hosts) {
      if (Lists(policy_.hosts, host)) continue;
      Deny("network.allowHosts", fmt::format("network host \"{}\" is not in the policy allowlist", host),
           fmt::format("add \"{}\" to network.allowHosts", host));
    }
  }

  void JudgeBudget() {
    // Written so that a value that is not a number is over every ceiling.
    const double spend = request_.spend_usd.value_or(policy_.spend_usd_max);
    if (!(spend <= policy_.spend_usd_max)) {
      Deny("budget.maxSpendUsd",
           fmt::format("requested budget ${} exceeds policy ceiling ${}", Number(spend), Number(policy_.spend_usd_max)),
           fmt::format("raise budget.maxSpendUsd to {}", Number(spend)));
    }
    const double duration = request_.duration_min.value_or(policy_.duration_min_max);
    if (!(duration <= policy_.duration_min_max)) {
      Deny("budget.maxDurationMin",
           fmt::format("requested duration {}m exceeds policy ceiling {}m", Number(duration),
                       Number(policy_.duration_min_max)),
           fmt::format("raise budget.maxDurationMin to {}", Number(duration)));
    }
  }

  void JudgeTool() {
    if (request_.tool) {
      const auto denied = std::ranges::find(policy_.denied_tools, *request_.tool);
      if (denied != policy_.denied_tools.end()) {
        Deny(fmt::format("writ.tools.deny[{}]", denied - policy_.denied_tools.begin()),
             fmt::format("tool \"{}\" is restricted", *request_.tool),
             fmt::format("remove \"{}\" from tools.deny", *request_.tool));
      }
    }
    if (!policy_.identities) return;
    if (!request_.identity) {
      Deny("writ.identities", "the policy allows only named identities and the request has none",
           "name an identity of the policy in the request");
      return;
    }
    const auto rule = std::ranges::find(*policy_.identities, *request_.identity, &IdentityRule::id);
    if (rule == policy_.identities->end()) {
      Deny("writ.identities", fmt::format("identity \"{}\" is not allowed", *request_.identity),
           fmt::format("add \"{}\" to identities", *request_.identity));
      return;
    }
    if (Lists(rule->tools, "*") || (request_.tool && Lists(rule->tools, *request_.tool))) return;
    const auto index = rule - policy_.identities->begin();
    const std::string tool = request_.tool.value_or("");
    Deny(fmt::format("writ.identities[{}].tools", index),
         fmt::format("identity \"{}\" may not run \"{}\"", *request_.identity, tool),
         fmt::format("add \"{}\" to identities[{}].tools", tool, index));
  }

  void JudgeTiers() {
    if (!Lists(policy_.tiers, request_.tier)) {
      Deny("writ.tiers.allow", fmt::format("tier \"{}\" is not allowed", request_.tier),
           fmt::format("add \"{}\" to tiers.allow", request_.tier));
    }
    if (!request_.weakest_tier || *request_.weakest_tier == request_.tier) return;
    if (*request_.weakest_tier == "none") {
      if (policy_.legacy_runners) return;
      Deny("writ.runners.legacy", "weakest accepted tier \"none\" is not allowed", "set runners.legacy to allow");
    } else if (!Lists(policy_.tiers, *request_.weakest_tier)) {
      Deny("writ.tiers.allow", fmt::format("weakest accepted tier \"{}\" is not allowed", *request_.weakest_tier),
           fmt::format("add \"{}\" to tiers.allow", *request_.weakest_tier));
    }
  }

  void JudgeLimits() {
    if (!request_.limits) return;
    for (const LimitField& limit : LimitFields()) {
      const std::uint64_t asked = limit.get(*request_.limits);
      const std::uint64_t ceiling = limit.get(policy_.ceilings);
      if (asked > 0 && asked <= ceiling) continue;
      const std::string rule = fmt::format("writ.limits.{}", limit.member);
      if (asked == 0) {
        Deny(rule, fmt::format("requested {} is zero, which never means unlimited", limit.name),
             fmt::format("ask for a {} of at most {}", limit.name, FormatLimit(limit, ceiling)));
      } else {
        Deny(rule,
             fmt::format("requested {} {} exceeds policy ceiling {}", limit.name, FormatLimit(limit, asked),
                         FormatLimit(limit, ceiling)),
             fmt::format("raise limits.{} to {}", limit.name, FormatLimit(limit, asked)));
      }
    }
  }

  void JudgeAccepted() {
    if (Lists(policy_.accept, "*")) return;
    for (const auto& [limit, mechanism] : request_.accepted) {
      const std::string entry = limit + "=" + mechanism;
      if (Lists(policy_.accept, entry)) continue;
      Deny("writ.accept", fmt::format("weaker enforcement \"{}\" is not allowed", entry),
           fmt::format("add \"{}\" to accept", entry));
    }
  }

  void CollectConsent() {
    for (std::size_t i = 0; i < policy_.consent.size(); ++i) {
      const ConsentRule& rule = policy_.consent[i];
      Consent consent{.rule = fmt::format("consent[{}]", i),
                      .requirement = {},
                      .approvers = rule.approvers,
                      .required = rule.required,
                      .not_requester = rule.not_requester,
                      .expires = rule.expires};
      switch (rule.when) {
        case ConsentWhen::kAnyRun:
          consent.requirement = "any-run";
          break;
        case ConsentWhen::kSecretRelease:
          if (request_.secrets.empty()) continue;
          consent.requirement = fmt::format("secret-release:{}", fmt::join(request_.secrets, ","));
          break;
        case ConsentWhen::kAgentKind:
          if (rule.match != request_.agent_kind) continue;
          consent.requirement = "agent-kind:" + rule.match;
          break;
      }
      decision_.consent.push_back(std::move(consent));
    }
  }

  const Policy& policy_;
  const Request& request_;
  Decision decision_;
};

}  // namespace

Decision Evaluate(const Policy& policy, const Request& request) { return Evaluation(policy, request).Run(); }

}  // namespace writ::policy
