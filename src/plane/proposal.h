#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/error.h"
#include "canon/json.h"
#include "contract/contract.h"
#include "plane/run_request.h"
#include "policy/policy.h"
#include "policy/request.h"

/// What will run, completely: the contract before it is signed, without what only the moment of signing knows
/// (`issuedAt`, `expiresAt`, `issuer`, `approvedBy`, `signatures`, and of `writ` `decision` and `approval`). Its hash is
/// what an approval is bound to (docs/formats/plane.md, "Approvals").
namespace writ::plane {

/// The request in the words of policy. `identity`: the principal that asks, as it was authenticated.
/// Errors: kInvalid for an egress rule that cannot be read, naming it, and for too many of them.
Result<policy::Request> PolicyRequestOf(const RunRequest& request, const policy::Policy& policy, std::string_view identity,
                                        const std::map<std::string, std::string>& isolation_tiers);

/// The contract that the request asks for, limits and scopes filled in from the policy. It has a `writ` member only if
/// request or policy use the extension. Precondition: the policy does not deny the request.
Result<contract::Contract> DraftFor(const RunRequest& request, const policy::Policy& policy, std::string run_id,
                                    const std::map<std::string, std::string>& isolation_tiers);

canon::Json ProposalOf(const contract::Contract& draft);
Result<std::string> DigestOfProposal(const canon::Json& proposal);
/// The contract that a proposal describes, ready to be signed. Errors: kInvalid naming the member.
Result<contract::Contract> DraftFromProposal(const canon::Json& proposal);

}  // namespace writ::plane
