#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"
#include "plane/jwt.h"

namespace writ::plane {

/// An identity provider whose keys the operator has pinned in a file; nothing is fetched.
struct IdentityProvider {
  std::string issuer;    ///< `iss` must be this
  std::string audience;  ///< `aud` must be this or contain it
  JwkSet keys;

  /// The `sub` of a valid token (RFC 7519): signature by a pinned key, issuer, audience, `exp` and `nbf` with 60 s of
  /// leeway. Errors: kDenied, saying which part; the token itself is never in the text.
  Result<std::string> Subject(std::string_view token, WallTime now) const;
};

/// Reads a JWKS file's text and makes a provider of it. Errors: kInvalid for an empty issuer or audience, and those of
/// ParseJwkSet.
Result<IdentityProvider> MakeIdentityProvider(std::string issuer, std::string audience, std::string_view jwks_text);

}  // namespace writ::plane
