#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace writ::policy {

enum class Verdict : std::uint8_t { kDeny, kNeedsApproval, kAllow };
/// `deny`, `ask`, `allow`: the words of the wire.
std::string_view VerdictName(Verdict verdict);

/// One objection to a request.
struct Denial {
  std::string rule;    ///< where the policy says so: "runners.allowPools", "writ.limits.memoryBytes", ...
  std::string reason;  ///< one sentence for the wire; contains names as they were asked, so escape it for a terminal
  std::string grant;   ///< the smallest change of the policy that would remove this objection
  bool operator==(const Denial&) const = default;
};

/// One consent the run needs before it may start.
struct Consent {
  std::string rule;                    ///< "consent[0]"
  std::string requirement;             ///< "any-run", "secret-release:A,B", "agent-kind:command"
  std::vector<std::string> approvers;  ///< who may answer; empty means nobody can
  std::uint32_t required = 1;          ///< how many of them must agree
  bool not_requester = false;          ///< the requester's own answer does not count
  std::optional<Millis> expires;       ///< an answer is good for this long
  bool operator==(const Consent&) const = default;
};

/// What the policy says to a request. A plain value: recorded as an event, compared in tests.
struct Decision {
  Verdict verdict = Verdict::kDeny;                ///< an empty Decision denies
  std::string rule = "default";                    ///< the first rule that spoke; "default" if none did
  std::string reason = "no rule allows this run";  ///< one sentence for event and receipt, free of secrets
  std::vector<Denial> denials;   ///< all objections, in the order of the protocol (evaluate.h)
  std::vector<Consent> consent;  ///< all requirements, in rule order
  bool operator==(const Decision&) const = default;

  std::vector<std::string> Reasons() const;              ///< texts of the denials
  std::vector<std::string> ConsentRequirements() const;  ///< texts of the requirements
  /// One line per change of the policy that together would let the request through; empty unless denied.
  std::vector<std::string> SmallestGrant() const;
};

}  // namespace writ::policy
