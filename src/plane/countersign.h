#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "canon/json.h"
#include "crypto/ed25519.h"
#include "session/run_facts.h"

namespace writ::plane {

/// Everything CheckReceipt objects to, in the verifier's order and words; empty when it holds.
std::vector<std::string> ReceiptProblems(const canon::Json& contract, std::string_view contract_hash,
                                         const canon::Json& receipt, const session::RunFacts& facts,
                                         std::string_view runner_pem);

/// Checks what a runner's receipt says against the contract this plane issued and the chain it kept the verified head
/// of (docs/formats/evidence.md, verification steps 2 to 13), in constant time whatever the chain's length.
/// Errors: kCorrupt with the first problem, in the verifier's words.
Result<> CheckReceipt(const canon::Json& contract, std::string_view contract_hash, const canon::Json& receipt,
                      const session::RunFacts& facts, std::string_view runner_pem);

/// CheckReceipt, then the plane's signature.
Result<> Countersign(canon::Json& receipt, const canon::Json& contract, std::string_view contract_hash,
                     const session::RunFacts& facts, std::string_view runner_pem, const crypto::PrivateKey& plane_key);

}  // namespace writ::plane
