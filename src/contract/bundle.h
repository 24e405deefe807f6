#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "canon/json.h"
#include "crypto/ed25519.h"

namespace writ::contract {

/// A `warrant.bundle.v1`: everything a verifier needs.
canon::Json MakeBundle(canon::Json contract, canon::Json receipt, canon::Json events, std::string_view plane_public_key_pem,
                       std::string_view runner_public_key_pem);

/// A key a verifier was told to expect, out of band.
struct Pin {
  std::string key_id;
  std::optional<crypto::PublicKey::Raw> raw;  ///< compared instead of the id, which is only 64 bits of a hash
  static Pin OfKey(const crypto::PublicKey& key) { return {key.KeyId(), key.raw()}; }
  static Pin OfKeyId(std::string_view key_id) { return {std::string(key_id), std::nullopt}; }
};

/// Which keys are accepted. Empty: any.
struct Pins {
  std::vector<Pin> plane, runner;
};

struct Verification {
  std::vector<std::string> problems;  ///< in the order of docs/formats/evidence.md; empty means consistent
  /// Facts a reader should know that are no problem in the protocol: a receipt that leaves out events, times that run
  /// backwards, a consent that was asked for and not given. Texts of our own.
  std::vector<std::string> warnings;
  bool pinned = false;                ///< the plane key is one of Pins::plane
  bool ok() const { return problems.empty(); }
};

/// Verifies a bundle without any network, store or clock. Pinned keys that do not match give the last problems
/// `plane key K is not pinned` and `runner key K is not pinned`. A bundle that lacks members has exactly one problem,
/// which begins `bundle is malformed: `. Constant extra memory beyond one copy of the largest part.
Verification VerifyBundle(const canon::Json& bundle, const Pins& pins = {});

/// The part a plane checks before it countersigns: everything about the receipt but the plane's own signatures
/// (docs/formats/evidence.md steps 2 to 13). `contract_hash` is the hash of the contract the plane issued.
std::vector<std::string> CheckRunnerReceipt(const canon::Json& contract, std::string_view contract_hash, const canon::Json& receipt,
                                            const canon::Json& events, std::string_view runner_public_key_pem);

}  // namespace writ::contract
