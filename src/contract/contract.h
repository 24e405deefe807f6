#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "canon/json.h"
#include "contract/execution.h"
#include "contract/parts.h"
#include "crypto/ed25519.h"

namespace writ::contract {

/// `expiresAt` - `issuedAt`
inline constexpr std::chrono::minutes kContractLife{60};

/// A `warrant.contract.v1` without its signatures. What is signed, stored and sent is the JSON: of a contract that came
/// from elsewhere keep the Json received, because its unknown members count too.
struct Contract {
  std::string run_id;
  WallTime issued_at{};
  WallTime expires_at{};
  std::string issuer_key_id;                 ///< of the plane
  ActorRef requested_by;
  std::vector<ActorRef> approved_by;         ///< left out when empty
  AgentSpec agent;
  std::string prompt;                        ///< `task.prompt`, 1 to 1000000 characters
  std::string pool;
  canon::Json workspace;                     ///< ToJson(WorkspaceManifest), or the manifest as received
  std::string policy_hash;
  std::vector<SecretClaim> secrets;
  NetworkPolicy network;
  Budget budget;
  std::string disclosure = "none";
  canon::Json execution;                     ///< ToJson(ExecutionSpec), or the spec as received and checked
  std::optional<std::string> isolation;
  std::optional<Continuation> continuation;
  canon::Json writ;                          ///< ToJson(ContractExtension); null when there is none
};

canon::Json ToJson(const Contract& contract);

/// Reads a contract that was received. Signatures are not judged. Errors: kInvalid naming the member.
Result<Contract> DecodeContract(const canon::Json& json);

/// A contract that is signed and ready to be stored.
struct IssuedContract {
  canon::Json json;
  std::string hash;  ///< contract hash: the genesis of the event chain
};
/// Fills in the issuer from the key, encodes and signs. Errors: those of canon::Canonical.
Result<IssuedContract> Issue(Contract contract, const crypto::PrivateKey& plane);

/// Whether a contract may still be acted on at `now`. Errors: kDenied `contract expired at T`; kInvalid when
/// `expiresAt` is not a timestamp.
Result<> CheckNotExpired(const canon::Json& contract, WallTime now);

/// Text cut to at most `units_max` UTF-16 units, with U+2026 at the end when something was cut; broken UTF-8 becomes
/// U+FFFD. For `task.prompt` and other texts with a bound.
std::string FitText(std::string_view text, std::size_t units_max);
inline constexpr std::size_t kPromptUnitsMax = 1000000;

}  // namespace writ::contract
