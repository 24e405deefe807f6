#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "contract/contract.h"
#include "crypto/ed25519.h"
#include "plane/decision_log.h"
#include "policy/decision.h"
#include "session/event_log.h"
#include "storage/store.h"

namespace writ::plane {

/// A run that exists from here on: its contract is signed, its chain begun, its runner has claimed it, and all of
/// that survives a power cut.
struct IssuedRun {
  contract::IssuedContract contract;
  session::EventLog log;
};

/// What issuing needs besides the draft. All borrowed.
struct IssueParts {
  storage::Store& store;
  const Clock& clock;
  const crypto::PrivateKey& plane_key;
  std::string_view plane_pem;         ///< its public key
  std::string_view decision_genesis;  ///< SHA-256 of `plane_pem`
  std::string_view runner_id, runner_key_id;
  const canon::Json& host;            ///< what the runner says of its host at the claim (session::HostFacts)
  /// Events of what the runner has done by now: one in the same process has materialised what the contract names.
  std::vector<canon::Json> begun;
};

/// What the decision was about: the digest of the unsigned contract without `writ.decision`, which is only known
/// once the decision is in the log.
Result<std::string> DigestOfDraft(const contract::Contract& draft);

/// Logs the decision, signs the contract (`issuedAt` and `expiresAt` are set here, 60 minutes apart), has the runner
/// check signature and expiry, and stores contract, run.created, policy.evaluated, run.claimed and what was begun, all
/// as one durable change. `summary` is the JSON that lists show.
/// Errors: kDenied when the decision does not allow; those of the store; nothing was stored then.
Result<IssuedRun> IssueContract(IssueParts parts, contract::Contract draft, const policy::Decision& decision,
                                std::string_view summary);

/// What a runner checks before it claims: the plane's signature and the expiry.
/// Errors: kDenied, saying which.
Result<> CheckClaim(const canon::Json& contract, std::string_view plane_pem, WallTime now);

}  // namespace writ::plane
