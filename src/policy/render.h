#pragma once

#include <string>

#include "canon/json.h"
#include "policy/decision.h"
#include "policy/policy.h"

namespace writ::policy {

/// Who may do what, for `writ policy show`: one screen of text, every name escaped.
std::string RenderText(const Policy& policy);
/// The same for `--json`: {"name", "source", "policyHash", "policy", "warnings"}.
canon::Json RenderJson(const Policy& policy);

/// A decision for people: verdict, every reason, and for a denial the smallest grant. Names escaped.
std::string RenderText(const Decision& decision);
/// {"decision", "reason", "rule", "reasons", "grants", "consentRequirements", "consent"}.
canon::Json RenderJson(const Decision& decision);

}  // namespace writ::policy
