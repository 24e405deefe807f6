#pragma once

#include <string>

#include "base/error.h"
#include "canon/json.h"
#include "contract/contract.h"
#include "policy/decision.h"
#include "policy/policy.h"
#include "policy/request.h"
#include "runner/job.h"

/// What a runner's operator never lets a contract have, whatever the plane signs: a policy (docs/formats/policy.md) that the
/// runner itself judges each contract by. Nothing of a contract is narrowed: what asks for more is refused as a whole.
namespace writ::runner {

/// A contract in the words of policy, all of it: the limits that would be enforced with defaults filled in, the way out that
/// would be opened. `received` is the JSON of `contract`, `job` is made of it. Of a contract of the original protocol neither
/// limits but time and output nor weaker mechanisms are asked: those are the runner's own settings.
/// Errors: kInvalid for a member that cannot be read.
Result<policy::Request> AskOf(const contract::Contract& contract, const canon::Json& received, const Job& job);

/// The agent that would be started and the one that the contract names are both judged. Errors: those of AskOf.
policy::Decision JudgeAsk(const policy::Policy& policy, const contract::Contract& contract, policy::Request ask);

/// One sentence for receipt and operator: every rule that spoke (at most ten), why, and what would have to be changed.
/// Precondition: the decision is not to allow.
std::string RefusalText(const policy::Decision& decision);

}  // namespace writ::runner
