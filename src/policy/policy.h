#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/limits.h"
#include "canon/json.h"
#include "policy/egress_ceiling.h"

namespace writ::policy {

/// `warrant.policy.v1`
extern const std::string_view kPolicyVersion;

struct SecretRule {
  std::string name, scope;
  std::vector<std::string> pools;
};
struct DataClassRule {
  std::string data_class;
  std::vector<std::string> pools;
};
enum class ConsentWhen : std::uint8_t { kSecretRelease, kAnyRun, kAgentKind };
struct ConsentRule {
  ConsentWhen when = ConsentWhen::kAnyRun;
  std::string match;  ///< the agent kind, for kAgentKind
  std::vector<std::string> approvers;
  std::uint32_t required = 1;
  bool not_requester = false;
  std::optional<Millis> expires;
};
/// Who may run what.
struct IdentityRule {
  std::string id;
  std::vector<std::string> tools;  ///< exact names; "*" alone means every tool
};

/// Something `writ policy check` has to say about a policy.
struct Problem {
  bool fatal = true;              ///< false: it can be used, but probably does not say what was meant
  std::string path;               ///< "runners.allowPools[2]"; "" is the whole document
  std::string text;               ///< what is wrong and what would be right; escape before showing on a terminal
  unsigned line = 0, column = 0;  ///< 1-based; 0 when the source has no positions
};
/// `name:line:column: path: text`, escaped.
std::string FormatProblem(const Problem& problem, std::string_view source);

/// A policy ready to be evaluated. Lists that are empty, null or missing allow nothing.
struct Policy {
  canon::Json json;    ///< the `warrant.policy.v1` object; this is what is hashed, stored and sent
  std::string hash;    ///< hashCanonical of `json`
  std::string name;    ///< `writ.name`, else ""
  std::string source;  ///< where it came from, for people: a path or "built-in"

  std::vector<std::string> pools;
  std::vector<std::string> agents;
  std::vector<DataClassRule> data_classes;
  bool default_deny = true;
  std::vector<std::string> hosts;
  std::vector<SecretRule> secrets;
  double spend_usd_max = 0;
  double duration_min_max = 0;
  std::vector<ConsentRule> consent;
  double receipts_days = 365, artifacts_days = 90;

  // The `writ` extension. A policy without it allows the process tier under the default limits.
  bool extended = false;  ///< the object has a `writ` member
  std::vector<std::string> tiers{"process"};
  Limits ceilings;
  EgressCeiling egress;                   ///< with what `network` says
  std::vector<std::string> accept;        ///< "LIMIT=MECHANISM", or "*" for whatever a request names
  bool own_secrets = false;               ///< the requester's own store may release what the request names
  bool legacy_runners = false;            ///< runners that do not know the extension may be given runs
  std::vector<std::string> denied_tools;  ///< for everybody, whatever the identity may run
  std::optional<std::vector<IdentityRule>> identities;  ///< absent: identities are not judged

  std::vector<Problem> warnings;  ///< non-fatal problems found while reading
};

/// Reads a `warrant.policy.v1` object. Unknown members are refused with the nearest known name; every problem is
/// added to `problems`. Errors: kInvalid, with all fatal problems in the text, one per line.
Result<Policy> FromJson(canon::Json json, std::string_view source);
/// As FromJson, but reports instead of failing: nullopt when a problem is fatal.
std::optional<Policy> Decode(canon::Json json, std::vector<Problem>& problems);

}  // namespace writ::policy
