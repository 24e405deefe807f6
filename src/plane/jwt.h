#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "canon/json.h"
#include "crypto/jws.h"

namespace writ::plane {

/// A key of a JWKS file (RFC 7517).
struct Jwk {
  std::optional<std::string> kid;
  crypto::JwsKey key;
};
using JwkSet = std::vector<Jwk>;

/// Reads a JWKS text. Keys for encryption and of kinds that are not verified here (other curves, `alg` other than RS256,
/// ES256, EdDSA) are passed over. Errors: kInvalid when it is no JWKS, holds a private or symmetric key, has two keys of
/// one `kid`, or none that can be used.
Result<JwkSet> ParseJwkSet(std::string_view text);

/// The claims of a token (RFC 7519) whose signature one of the keys made. The header's `alg` must be that of the key;
/// its `kid` names the key, and may only be absent when there is one key. `crit` is refused. Claims are not judged.
/// Errors: kDenied.
Result<canon::Json> VerifyJwt(std::string_view token, const JwkSet& keys);

}  // namespace writ::plane
