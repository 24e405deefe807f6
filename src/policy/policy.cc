#include "policy/policy.h"

#include <algorithm>
#include <set>

#include "base/escape.h"
#include "base/nearest.h"
#include "crypto/digest.h"
#include "policy/schema.h"

namespace writ::policy {
namespace {

using canon::Json;

/// Texts of a list whose shape was checked; null and missing are empty.
std::vector<std::string> Texts(const Json* list) {
  std::vector<std::string> texts;
  if (list == nullptr || !list->is_array()) return texts;
  for (const Json& item : list->array()) texts.push_back(item.string());
  return texts;
}
std::vector<std::string> Texts(const Json& object, std::string_view list) { return Texts(object.Find(list)); }

const Json* FindIn(const Json& object, std::string_view section, std::string_view member) {
  const Json* found = object.Find(section);
  return found == nullptr ? nullptr : found->Find(member);
}
const Json::Array& ItemsOf(const Json* list) {
  static const Json::Array kNone;
  return list != nullptr && list->is_array() ? list->array() : kNone;
}
std::string TextOf(const Json& object, std::string_view member) {
  const std::string* text = object.FindString(member);
  return text == nullptr ? std::string() : *text;
}
double NumberOf(const Json* value, double otherwise) { return value == nullptr ? otherwise : value->number(); }

void WarnOfDuplicates(const std::vector<std::string>& names, const std::string& path, std::vector<Problem>& problems) {
  std::set<std::string_view> seen;
  for (const std::string& name : names) {
    if (!seen.insert(name).second) Report(problems, false, path, fmt::format("names \"{}\" more than once", name));
  }
}

/// A list that makes the policy deny everything when it is empty.
void WarnIfEmpty(const std::vector<std::string>& names, const std::string& path, std::vector<Problem>& problems) {
  if (names.empty()) Report(problems, false, path, "allows nothing, so every run is denied");
}

void CheckHosts(const std::vector<std::string>& hosts, std::vector<Problem>& problems) {
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    const std::string& host = hosts[i];
    const bool plain = std::ranges::all_of(host, [](unsigned char c) {
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
    });
    if (!plain || host.front() == '.' || host.back() == '.') {
      Report(problems, false, ItemPath("network.allowHosts", i),
             fmt::format("\"{}\" never matches: a host is a lower-case name (punycode for others) without port, "
                         "wildcard or final dot",
                         host));
    }
  }
}

void ReadSecrets(const Json& json, Policy& policy, std::vector<Problem>& problems) {
  std::vector<std::string> names;
  for (const Json& item : ItemsOf(FindIn(json, "secrets", "releasable"))) {
    policy.secrets.push_back({TextOf(item, "name"), TextOf(item, "scope"), Texts(item, "pools")});
    names.push_back(policy.secrets.back().name);
    if (policy.secrets.back().pools.empty()) {
      Report(problems, false, ItemPath("secrets.releasable", policy.secrets.size() - 1) + ".pools",
             fmt::format("is empty, so secret \"{}\" is released to no pool", names.back()));
    }
  }
  WarnOfDuplicates(names, "secrets.releasable", problems);
}

void ReadConsent(const Json& json, const Json* extension, Policy& policy, std::vector<Problem>& problems) {
  const Json::Array& rules = ItemsOf(json.Find("consent"));
  const Json* more = extension == nullptr ? nullptr : extension->Find("consent");
  if (more != nullptr && ItemsOf(more).size() != rules.size()) {
    Report(problems, true, "writ.consent", fmt::format("must have one entry per rule of consent, {}", rules.size()));
    return;
  }
  for (std::size_t i = 0; i < rules.size(); ++i) {
    ConsentRule rule;
    const std::string path = ItemPath("consent", i);
    const std::string when = TextOf(rules[i], "when");
    rule.when = when == "any-run"          ? ConsentWhen::kAnyRun
                : when == "secret-release" ? ConsentWhen::kSecretRelease
                                           : ConsentWhen::kAgentKind;
    rule.match = TextOf(rules[i], "match");
    rule.approvers = Texts(rules[i], "approvers");
    if (rule.when == ConsentWhen::kAgentKind && rule.match.empty()) {
      Report(problems, true, path + ".match", "is missing: a rule for agent-kind must name the kind");
    }
    if (rule.when != ConsentWhen::kAgentKind && !rule.match.empty()) {
      Report(problems, false, path + ".match", fmt::format("has no effect on a rule for {}", when));
    }
    if (more != nullptr) {
      const Json& extra = more->array()[i];
      const double required = NumberOf(extra.Find("required"), 1);
      rule.required = required > 1e6 ? 1'000'000 : static_cast<std::uint32_t>(required);
      const Json* not_requester = extra.Find("notRequester");
      rule.not_requester = not_requester != nullptr && not_requester->boolean();
      if (const Json* expires = extra.Find("expiresMs"); expires != nullptr) {
        rule.expires = Millis(static_cast<Millis::rep>(std::min(expires->number(), 1e15)));
      }
    }
    if (rule.approvers.empty()) {
      Report(problems, false, path + ".approvers", "is empty, so nobody can give this consent");
    } else if (std::set(rule.approvers.begin(), rule.approvers.end()).size() < rule.required) {
      Report(problems, false, path, fmt::format("requires {} approvers and names fewer", rule.required));
    }
    WarnOfDuplicates(rule.approvers, path + ".approvers", problems);
    policy.consent.push_back(std::move(rule));
  }
}

void CheckAccept(const std::vector<std::string>& accept, std::vector<Problem>& problems) {
  std::vector<std::string_view> known{"groups"};
  for (const LimitField& limit : LimitFields()) known.push_back(limit.name);
  for (std::size_t i = 0; i < accept.size(); ++i) {
    if (accept[i] == "*") continue;
    const std::size_t equals = accept[i].find('=');
    const std::string_view limit = std::string_view(accept[i]).substr(0, equals);
    if (equals == std::string::npos || equals + 1 == accept[i].size()) {
      Report(problems, true, ItemPath("writ.accept", i),
             fmt::format("\"{}\" must be LIMIT=MECHANISM, such as memory=rlimit, or *", accept[i]));
    } else if (std::ranges::find(known, limit) == known.end()) {
      Report(problems, true, ItemPath("writ.accept", i),
             fmt::format("\"{}\" is not a limit{}", limit, DidYouMean(limit, known)));
    }
  }
}

void ReadIdentities(const Json& list, Policy& policy, std::vector<Problem>& problems) {
  std::vector<IdentityRule> rules;
  std::vector<std::string> ids;
  for (const Json& item : ItemsOf(&list)) {
    rules.push_back({TextOf(item, "id"), Texts(item, "tools")});
    ids.push_back(rules.back().id);
    if (rules.back().tools.empty()) {
      Report(problems, false, ItemPath("writ.identities", rules.size() - 1) + ".tools",
             fmt::format("is empty, so \"{}\" may run nothing", ids.back()));
    }
  }
  WarnIfEmpty(ids, "writ.identities", problems);
  WarnOfDuplicates(ids, "writ.identities", problems);
  policy.identities = std::move(rules);
}

/// The ceiling for what a run may connect to. A rule that cannot be read makes the policy unusable: it could have been a
/// limit.
void ReadEgress(const Json& extension, Policy& policy, std::vector<Problem>& problems) {
  const Json* egress = extension.Find("egress");
  if (egress == nullptr || !egress->is_object()) return;
  const std::vector<std::string> rules = Texts(*egress, "rules");
  if (rules.size() > kEgressRulesMax) {
    Report(problems, true, "writ.egress.rules", fmt::format("has {} rules; at most {} are allowed", rules.size(), kEgressRulesMax));
    return;
  }
  for (std::size_t i = 0; i < rules.size(); ++i) {
    auto rule = ParseEgressRule(rules[i]);
    if (rule) {
      policy.egress.rules.push_back(*std::move(rule));
    } else {
      Report(problems, true, ItemPath("writ.egress.rules", i), rule.error().what);
    }
  }
  WarnOfDuplicates(rules, "writ.egress.rules", problems);
  if (const Json* open = egress->Find("open"); open != nullptr) policy.egress.open = open->boolean();
  if (const Json* bytes = egress->Find("budgetBytes"); bytes != nullptr) {
    policy.egress.budget_bytes = static_cast<std::uint64_t>(bytes->number());
  }
  if (!policy.default_deny && (policy.egress.open || !rules.empty())) {
    Report(problems, false, "writ.egress", "opens nothing more while network.defaultDeny is false");
  }
}

void ReadExtension(const Json& extension, Policy& policy, std::vector<Problem>& problems) {
  policy.extended = true;
  policy.name = TextOf(extension, "name");
  policy.tiers = Texts(FindIn(extension, "tiers", "allow"));
  WarnIfEmpty(policy.tiers, "writ.tiers.allow", problems);
  for (const LimitField& limit : LimitFields()) {
    const Json* value = FindIn(extension, "limits", limit.member);
    if (value != nullptr) limit.set(policy.ceilings, static_cast<std::uint64_t>(value->number()));
  }
  ReadEgress(extension, policy, problems);
  policy.accept = Texts(extension, "accept");
  CheckAccept(policy.accept, problems);
  const auto says_allow = [&](std::string_view section, std::string_view member) {
    const Json* value = FindIn(extension, section, member);
    return value != nullptr && value->string() == "allow";
  };
  policy.own_secrets = says_allow("secrets", "own");
  policy.legacy_runners = says_allow("runners", "legacy");
  policy.denied_tools = Texts(FindIn(extension, "tools", "deny"));
  if (const Json* identities = extension.Find("identities"); identities != nullptr) {
    ReadIdentities(*identities, policy, problems);
  }
}

bool AnyFatal(const std::vector<Problem>& problems) { return std::ranges::any_of(problems, &Problem::fatal); }

void CheckVersions(const Json& json, const Json* extension, std::vector<Problem>& problems) {
  const std::string* version = json.FindString("version");
  if (version == nullptr || *version != kPolicyVersion) {
    Report(problems, true, "version", fmt::format("must be \"{}\"", kPolicyVersion));
  }
  if (extension == nullptr) return;
  const Json* v = extension->Find("v");
  if (v == nullptr || !v->is_number() || v->number() != 1) {
    Report(problems, true, "writ.v", "must be 1, the only version of the extension that is known here");
  }
}

}  // namespace

const std::string_view kPolicyVersion = "warrant.policy.v1";

std::string FormatProblem(const Problem& problem, std::string_view source) {
  std::string text = EscapeVisible(source);
  if (problem.line != 0) text += fmt::format(":{}:{}", problem.line, problem.column);
  if (!problem.path.empty()) text += ": " + EscapeVisible(problem.path, 200);
  text += problem.path.empty() ? ": " : " ";
  return text + EscapeVisible(problem.text, 600);
}

std::optional<Policy> Decode(Json json, std::vector<Problem>& problems) {
  static constexpr std::string_view kRootMembers[] = {"version", "writ"};
  static constexpr std::string_view kExtensionMembers[] = {"v"};
  const Json* extension = json.Find("writ");
  CheckShape(json, PolicyFields(), Part::kBase, "", kRootMembers, problems);
  if (extension != nullptr) {
    CheckShape(*extension, PolicyFields(), Part::kExtension, "writ", kExtensionMembers, problems);
  }
  CheckVersions(json, extension, problems);
  if (AnyFatal(problems)) return std::nullopt;

  Policy policy;
  policy.pools = Texts(FindIn(json, "runners", "allowPools"));
  policy.agents = Texts(FindIn(json, "agents", "allow"));
  WarnIfEmpty(policy.pools, "runners.allowPools", problems);
  WarnIfEmpty(policy.agents, "agents.allow", problems);
  WarnOfDuplicates(policy.pools, "runners.allowPools", problems);
  for (const Json& item : ItemsOf(json.Find("dataClasses"))) {
    policy.data_classes.push_back({TextOf(item, "dataClass"), Texts(item, "allowPools")});
  }
  const Json* default_deny = FindIn(json, "network", "defaultDeny");
  policy.default_deny = default_deny == nullptr || default_deny->boolean();
  policy.hosts = Texts(FindIn(json, "network", "allowHosts"));
  CheckHosts(policy.hosts, problems);
  policy.egress.whatever_is_named = !policy.default_deny;
  policy.egress.hosts = policy.hosts;
  if (!policy.default_deny && !policy.hosts.empty()) {
    Report(problems, false, "network.allowHosts", "has no effect while network.defaultDeny is false");
  }
  policy.spend_usd_max = NumberOf(FindIn(json, "budget", "maxSpendUsd"), 0);
  policy.duration_min_max = NumberOf(FindIn(json, "budget", "maxDurationMin"), 0);
  policy.receipts_days = NumberOf(FindIn(json, "retention", "receiptsDays"), policy.receipts_days);
  policy.artifacts_days = NumberOf(FindIn(json, "retention", "artifactsDays"), policy.artifacts_days);
  ReadSecrets(json, policy, problems);
  ReadConsent(json, extension, policy, problems);
  if (extension != nullptr) ReadExtension(*extension, policy, problems);

  const auto canonical = canon::Canonical(json);
  if (!canonical) Report(problems, true, "", canonical.error().what);
  if (AnyFatal(problems)) return std::nullopt;
  policy.hash = crypto::Sha256Hex(*canonical);
  policy.json = std::move(json);
  policy.warnings = problems;
  return policy;
}

Result<Policy> FromJson(Json json, std::string_view source) {
  std::vector<Problem> problems;
  std::optional<Policy> policy = Decode(std::move(json), problems);
  if (policy) {
    policy->source = source;
    return *std::move(policy);
  }
  std::string text;
  for (const Problem& problem : problems) {
    if (!problem.fatal) continue;
    if (!text.empty()) text += '\n';
    text += FormatProblem(problem, source);
  }
  return Fail(Code::kInvalid, "{}", text);
}

}  // namespace writ::policy
