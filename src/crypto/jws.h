#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/error.h"

/// Signed compact tokens (RFC 7515, RFC 7518, RFC 8037): the parts that need no JSON. Verification only.
namespace writ::crypto {

/// A public key of somebody else's, and the one algorithm it may be used with. A token never chooses the algorithm: the
/// key does, so no key can be taken for one of another kind and nothing is ever verified with `none` or a shared secret.
class JwsKey {
 public:
  /// Errors of all: kInvalid for anything that is no sound key.
  /// RS256. `n` and `e` are big-endian; 2048 to 8192 bits, `e` odd and at least 3, at most 32 bits.
  static Result<JwsKey> Rsa(ByteView n, ByteView e);
  /// ES256. Coordinates of 32 bytes; the point must be on the curve.
  static Result<JwsKey> EcP256(ByteView x, ByteView y);
  /// EdDSA with Ed25519. 32 bytes.
  static Result<JwsKey> Ed25519(ByteView x);

  std::string_view algorithm() const { return algorithm_; }  ///< "RS256", "ES256", "EdDSA"
  /// False for anything malformed. ES256 signatures are r and s, 32 bytes each (RFC 7518 section 3.4).
  bool Verify(std::string_view message, ByteView signature) const;

 private:
  struct Parts;
  JwsKey(std::string_view algorithm, std::shared_ptr<const Parts> parts) : algorithm_(algorithm), parts_(std::move(parts)) {}
  std::string_view algorithm_;
  std::shared_ptr<const Parts> parts_;
};

inline constexpr std::size_t kJwsBytesMax = 16384;

/// The three segments of a compact token, decoded.
struct JwsParts {
  std::string_view signing_input;  ///< header and payload as they came, with the dot; a view into the token
  std::string header, payload, signature;
};
/// Errors: kInvalid for another count of segments, more than kJwsBytesMax, and anything but the base64url that an
/// encoder makes: no padding, no other alphabet, no stray bits at the end.
Result<JwsParts> SplitJws(std::string_view token);

/// base64url as SplitJws reads it; also for the numbers of a JWK.
Result<std::string> Base64UrlDecodeStrict(std::string_view text);

}  // namespace writ::crypto
