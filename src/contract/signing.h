#pragma once

#include <string_view>

#include "base/error.h"
#include "canon/json.h"
#include "crypto/ed25519.h"

namespace writ::contract {

/// Appends `{keyId, alg, signer, sig}` to the object's `signatures` (made when absent). All signers of an object sign
/// the same string, so their order does not matter. Errors: those of canon::Canonical; kInvalid when `object` is not
/// an object or its `signatures` not an array.
Result<> AppendSignature(canon::Json& object, std::string_view signer, const crypto::PrivateKey& key);

/// How the first signature of a role was judged.
enum class SignatureState : unsigned char { kValid, kMissing, kOtherKey, kBad };

/// Judges the first entry whose `signer` is the role: its `keyId` must be the id of `public_key_pem`'s text and `sig`
/// must fit. Later entries and `alg` are not looked at, as in the original. A PEM that is no key makes every signature
/// kBad. `unsigned_hash`: HashUnsigned(object). Preconditions: `signatures` is an array of objects.
SignatureState CheckSignature(const canon::Json& signatures, std::string_view signer, std::string_view public_key_pem,
                              std::string_view unsigned_hash);

/// Hashes the object and checks the role's signature. False also for an object that has no proper `signatures`.
bool IsSignedBy(const canon::Json& object, std::string_view signer, std::string_view public_key_pem);

}  // namespace writ::contract
