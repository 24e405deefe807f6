#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "contract/contract.h"
#include "crypto/ed25519.h"
#include "plane/consent.h"
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

/// Consent that a run has been given, all of it: what made kNeedsApproval an allowing decision.
struct Granted {
  Question question;
  std::vector<ConsentAnswer> answers;  ///< those that count, each person once, in order
  std::optional<WallTime> good_until;  ///< the contract ends then, if that is before its usual end
};
/// The answers a judgement rests on. Precondition: its state is kGranted.
Granted GrantedBy(const Question& question, const Judgement& judgement);

/// What signing needs. All borrowed.
struct Signing {
  const crypto::PrivateKey& plane_key;
  std::string_view plane_pem;         ///< its public key
  std::string_view decision_genesis;  ///< SHA-256 of `plane_pem`
  WallTime now{};
};

/// A contract that is stored with the transaction, and how its chain begins; the events are not stored yet.
struct SignedRun {
  contract::IssuedContract contract;
  std::vector<canon::Json> events;  ///< run.created, [checkpoint.created], policy.evaluated, [consent.*]
};

/// Logs why the run may be, signs its contract (`issuedAt` and `expiresAt` are set here, 60 minutes apart or as long as
/// the consent is good) and stores it. The run must exist and have no contract.
/// Errors: kDenied when the decision neither allows nor asks with `granted`, when what was approved is not what the
/// draft says, and when the consent is no longer good; those of the store.
Result<SignedRun> SignRun(storage::Transaction& transaction, const Signing& signing, contract::Contract draft,
                          const policy::Decision& decision, const std::optional<Granted>& granted);

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
  /// The run waited for consent and has it: it exists in the store as awaiting_approval.
  std::optional<Granted> granted = {};
};

/// What the decision was about: the digest of the unsigned contract without `writ.decision`, which is only known
/// once the decision is in the log.
Result<std::string> DigestOfDraft(const contract::Contract& draft);

/// Logs the decision, signs the contract (`issuedAt` and `expiresAt` are set here, 60 minutes apart), has the runner
/// check signature and expiry, and stores contract, run.created, policy.evaluated, run.claimed and what was begun, all
/// as one durable change. `summary` is the JSON that lists show.
/// Errors: those of SignRun; those of the store; nothing was stored then.
Result<IssuedRun> IssueContract(IssueParts parts, contract::Contract draft, const policy::Decision& decision,
                                std::string_view summary);

/// What a runner checks before it claims: the plane's signature and the expiry.
/// Errors: kDenied, saying which.
Result<> CheckClaim(const canon::Json& contract, std::string_view plane_pem, WallTime now);

}  // namespace writ::plane
