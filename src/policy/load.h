#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/env.h"
#include "base/error.h"
#include "policy/policy.h"

namespace writ::policy {

inline constexpr std::size_t kPolicyBytesMax = 1u << 20;

/// What reading a text gave: the policy unless a problem is fatal, and every problem.
struct Checked {
  std::optional<Policy> policy;
  std::vector<Problem> problems;
};
/// Reads a policy text. JSON when the first character is `{`, else YAML (docs/formats/policy.md).
Checked Check(std::string_view text, std::string_view source);
/// Errors: kInvalid with every fatal problem, one per line; kExhausted over kPolicyBytesMax.
Result<Policy> Load(std::string_view text, std::string_view source);

/// Reads a policy file. Errors: kNotFound; kDenied when it cannot be read or when others than its owner may write it
/// or it belongs to neither the caller nor root; kInvalid when it is no regular file or no valid policy.
Result<Policy> LoadFile(const std::string& path);
/// The text of a policy file under the same rules, for Check.
Result<std::string> ReadPolicyFile(const std::string& path);

/// The policy of a local run (docs/formats/policy.md): `explicit_path` if given, else `policy.yaml` in the
/// configuration directory if it exists, else LocalDefault().
Result<Policy> LoadLocal(const std::optional<std::string>& explicit_path, const EnvLookup& env);
/// /etc/writ/policy.yaml for root, else $XDG_CONFIG_HOME/writ/policy.yaml, else $HOME/.config/writ/policy.yaml.
/// Errors: kInvalid when neither variable is an absolute path.
Result<std::string> LocalPolicyPath(const EnvLookup& env, bool root);

/// The built-in `local-default`: agent kind `command`, pool `local`, process tier, the default limits as ceilings;
/// hosts and secrets of the own store that a request names are granted.
Policy LocalDefault();

}  // namespace writ::policy
