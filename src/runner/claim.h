#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "canon/json.h"
#include "contract/contract.h"
#include "contract/execution.h"
#include "crypto/ed25519.h"

namespace writ::runner {

/// How long a claim lasts unless it is renewed; only planes that know `writ` say it.
struct Lease {
  Millis life{0}, heartbeat{0};
  std::uint64_t artifact_bytes = 0;  ///< of small results that the plane takes with the receipt
};

/// What a plane answered to a claim, taken apart and not judged yet.
struct Claim {
  std::string run_id, token;
  canon::Json contract;  ///< as received: its hash covers unknown members
  canon::Json::Array events;
  std::vector<contract::ReleasedSecret> secrets;
  std::map<std::string, std::string> secret_hosts;  ///< of secrets that are kept from the job: the host each is for
  std::optional<Lease> lease;
  MonoTime asked = std::chrono::steady_clock::now();  ///< when the request was sent: what it led to lasts from then on at least
};
/// nullopt: `{"empty":true}`. Errors: kCorrupt naming the member.
Result<std::optional<Claim>> DecodeClaim(const canon::Json& answer);

/// What this runner is and knows.
struct ClaimRules {
  std::string pool, runner_id, runner_key_id;
  std::optional<crypto::PublicKey> plane_key;  ///< absent: nobody told it, and nothing is verified by it
  WallTime now{};
};

/// A claim that this runner may act on.
struct CheckedClaim {
  contract::Contract contract;
  std::string contract_hash;
  std::size_t claimed_at = 0;  ///< index of the run.claimed event that is this claim
};

/// Everything that must hold before anything of a claim is acted on or answered: the plane's signature where its key is
/// known, run id, pool, the event chain from the contract's hash on, a last claim by this very runner with nothing
/// after it but secret releases, and exactly the secrets that the contract names. Expiry is judged
/// apart (contract::CheckNotExpired): an expired contract of an honest plane gets a receipt that says so.
/// Errors: kDenied, saying what is not so. Nothing may be signed over such a claim.
Result<CheckedClaim> CheckClaim(const Claim& claim, const ClaimRules& rules);

}  // namespace writ::runner
