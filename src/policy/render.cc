#include "policy/render.h"

#include "base/escape.h"
#include "base/units.h"
#include "policy/schema.h"

namespace writ::policy {
namespace {

using canon::Json;

constexpr std::size_t kListedMax = 20;   // names per line; the JSON form has all of them
constexpr std::size_t kColumnsMax = 60;  // per name

std::string Names(const std::vector<std::string>& names, std::string_view none) {
  if (names.empty()) return std::string(none);
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < kListedMax; ++i) {
    if (i > 0) text += ", ";
    text += EscapeVisible(names[i], kColumnsMax);
  }
  if (names.size() > kListedMax) text += fmt::format(", and {} more", names.size() - kListedMax);
  return text;
}

class Lines {
 public:
  void Add(std::string_view label, std::string_view text) { text_ += fmt::format("  {:<18} {}\n", label, text); }
  void Title(std::string_view text) { text_ += fmt::format("{}\n", text); }
  std::string Take() { return std::move(text_); }

 private:
  std::string text_;
};

std::string ConsentText(const ConsentRule& rule) {
  std::string text = rule.when == ConsentWhen::kAnyRun          ? "any run"
                     : rule.when == ConsentWhen::kSecretRelease ? "a run that asks for secrets"
                                                                : "a run of agent kind " + rule.match;
  if (rule.approvers.empty()) return text + ": nobody can approve it";
  text += fmt::format(": {} of {}", rule.required, Names(rule.approvers, ""));
  if (rule.not_requester) text += ", not the requester";
  if (rule.expires) text += fmt::format(", within {}", FormatLimit(*FindLimit("wall-time"), rule.expires->count()));
  return text;
}

std::string SecretsText(const SecretRule& rule) {
  return fmt::format("{} (scope {}) to pools {}", EscapeVisible(rule.name, kColumnsMax),
                     EscapeVisible(rule.scope, kColumnsMax), Names(rule.pools, "none"));
}

Json ListOf(const std::vector<std::string>& texts) {
  Json list = Json::MakeArray();
  for (const std::string& text : texts) list.Append(text);
  return list;
}

}  // namespace

std::string RenderText(const Policy& policy) {
  Lines lines;
  lines.Title(fmt::format("Policy {} from {}",
                          policy.name.empty() ? "(unnamed)" : EscapeVisible(policy.name, kColumnsMax),
                          EscapeVisible(policy.source)));
  lines.Add("hash", policy.hash);
  lines.Title("What may run");
  lines.Add("agent kinds", Names(policy.agents, "none: every run is denied"));
  lines.Add("pools", Names(policy.pools, "none: every run is denied"));
  lines.Add("tiers", Names(policy.tiers, "none: every run is denied"));
  if (policy.legacy_runners) lines.Add("legacy runners", "allowed, with no guarantee of isolation");
  if (!policy.denied_tools.empty()) lines.Add("restricted tools", Names(policy.denied_tools, ""));
  lines.Title("Who may run it");
  if (!policy.identities) {
    lines.Add("identities", "everybody the door lets in");
  } else if (policy.identities->empty()) {
    lines.Add("identities", "nobody: every run is denied");
  } else {
    std::size_t shown = 0;
    for (const IdentityRule& rule : *policy.identities) {
      if (++shown > kListedMax) break;
      const bool all = rule.tools.size() == 1 && rule.tools[0] == "*";
      lines.Add(EscapeVisible(rule.id, kColumnsMax), all ? "everything" : Names(rule.tools, "nothing"));
    }
    if (shown > kListedMax) lines.Add("", fmt::format("and {} more", policy.identities->size() - kListedMax));
  }
  lines.Title("What a run may have");
  lines.Add("hosts", policy.default_deny ? Names(policy.hosts, "none") : "those the request names");
  if (policy.default_deny && policy.egress.open) lines.Add("", "every public host");
  std::vector<std::string> rules;
  for (const EgressRule& rule : policy.egress.rules) rules.push_back(rule.text);
  if (!rules.empty()) lines.Add("egress rules", Names(rules, ""));
  if (policy.egress.budget_bytes) lines.Add("network budget", FormatSize(*policy.egress.budget_bytes));
  if (policy.own_secrets) lines.Add("secrets", "those of the requester's own store that the request names");
  if (policy.secrets.empty() && !policy.own_secrets) lines.Add("secrets", "none");
  for (std::size_t i = 0; i < policy.secrets.size() && i < kListedMax; ++i) {
    lines.Add("secret", SecretsText(policy.secrets[i]));
  }
  if (policy.secrets.size() > kListedMax) lines.Add("", fmt::format("and {} more", policy.secrets.size() - kListedMax));
  lines.Add("budget", fmt::format("${} and {} min", policy.spend_usd_max, policy.duration_min_max));
  std::string limits;
  for (const LimitField& limit : LimitFields()) {
    if (!limits.empty()) limits += "  ";
    limits += fmt::format("{} {}", limit.name, FormatLimit(limit, limit.get(policy.ceilings)));
    if (limit.name == "files") {
      lines.Add("limits up to", limits);
      limits.clear();
    }
  }
  lines.Add("", limits);
  const bool any = policy.accept.size() == 1 && policy.accept[0] == "*";
  lines.Add("weaker enforcement", any ? "whatever the request accepts" : Names(policy.accept, "none"));
  lines.Title("Who must agree first");
  if (policy.consent.empty()) lines.Add("consent", "nobody");
  for (std::size_t i = 0; i < policy.consent.size() && i < kListedMax; ++i) {
    lines.Add("consent", ConsentText(policy.consent[i]));
  }
  if (policy.consent.size() > kListedMax) lines.Add("", fmt::format("and {} more", policy.consent.size() - kListedMax));
  if (!policy.warnings.empty()) lines.Title("Warnings");
  for (const Problem& problem : policy.warnings) lines.Title("  " + FormatProblem(problem, policy.source));
  return lines.Take();
}

Json RenderJson(const Policy& policy) {
  Json warnings = Json::MakeArray();
  for (const Problem& problem : policy.warnings) warnings.Append(FormatProblem(problem, policy.source));
  return Json::Of({{"name", policy.name},
                   {"source", policy.source},
                   {"policyHash", policy.hash},
                   {"policy", policy.json},
                   {"warnings", std::move(warnings)}});
}

std::string RenderText(const Decision& decision) {
  std::string text;
  const auto line = [&](std::string_view lead, std::string_view what) {
    text += fmt::format("{}{}\n", lead, EscapeVisible(what, 400));
  };
  switch (decision.verdict) {
    case Verdict::kAllow:
      line("allowed: ", decision.reason);
      break;
    case Verdict::kNeedsApproval:
      text += "needs approval\n";
      for (const Consent& consent : decision.consent) {
        line("  ", consent.requirement);
        const std::string who = Names(consent.approvers, "nobody, so it cannot be approved");
        text += fmt::format("    {} of: {}\n", consent.required, who);
      }
      break;
    case Verdict::kDeny:
      text += "denied by policy\n";
      if (decision.denials.empty()) line("  ", decision.reason);
      for (const Denial& denial : decision.denials) line("  ", denial.reason);
      const auto grants = decision.SmallestGrant();
      if (!grants.empty()) text += "to allow it, change the policy:\n";
      for (const std::string& grant : grants) line("  ", grant);
      break;
  }
  return text;
}

Json RenderJson(const Decision& decision) {
  Json consent = Json::MakeArray();
  for (const Consent& each : decision.consent) {
    Json item = Json::Of({{"requirement", each.requirement},
                          {"approvers", ListOf(each.approvers)},
                          {"required", each.required},
                          {"notRequester", each.not_requester}});
    if (each.expires) item.Set("expiresMs", each.expires->count());
    consent.Append(std::move(item));
  }
  return Json::Of({{"decision", VerdictName(decision.verdict)},
                   {"reason", decision.reason},
                   {"rule", decision.rule},
                   {"reasons", ListOf(decision.Reasons())},
                   {"grants", ListOf(decision.SmallestGrant())},
                   {"consentRequirements", ListOf(decision.ConsentRequirements())},
                   {"consent", std::move(consent)}});
}

}  // namespace writ::policy
