#include "policy/decision.h"

#include <algorithm>

namespace writ::policy {

std::string_view VerdictName(Verdict verdict) {
  switch (verdict) {
    case Verdict::kDeny:
      break;
    case Verdict::kNeedsApproval:
      return "ask";
    case Verdict::kAllow:
      return "allow";
  }
  return "deny";
}

std::vector<std::string> Decision::Reasons() const {
  std::vector<std::string> texts;
  for (const Denial& denial : denials) texts.push_back(denial.reason);
  return texts;
}

std::vector<std::string> Decision::ConsentRequirements() const {
  std::vector<std::string> texts;
  for (const Consent& each : consent) texts.push_back(each.requirement);
  return texts;
}

std::vector<std::string> Decision::SmallestGrant() const {
  std::vector<std::string> lines;
  for (const Denial& denial : denials) {
    if (!denial.grant.empty() && std::ranges::find(lines, denial.grant) == lines.end()) lines.push_back(denial.grant);
  }
  return lines;
}

}  // namespace writ::policy
