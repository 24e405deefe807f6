#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "crypto/ed25519.h"
#include "plane/refusal.h"

namespace writ::plane {

/// What a claim token says: this runner may report on this run (docs/formats/plane.md, "Claim tokens").
struct ClaimToken {
  std::string run_id, runner_id;
  std::string nonce;  ///< names the claim; renewed tokens of one claim keep it
  WallTime expires{};
  bool operator==(const ClaimToken&) const = default;
};
inline constexpr std::chrono::minutes kClaimTokenLife{10};
inline constexpr std::size_t kClaimTokenBytesMax = 4096;

/// 16 random bytes, base64url.
std::string MakeNonce();

/// `base64url(JSON) . base64url(signature over the first segment)`.
std::string SealClaimToken(const ClaimToken& token, const crypto::PrivateKey& plane_key);

/// Everything about a token but its expiry. Segments after the second are ignored.
/// Refusals: 400 and 401 with the texts of the wire.
Answer<ClaimToken> OpenClaimToken(std::string_view text, const crypto::PublicKey& plane_key);
/// 401 `claim token expired`.
Answer<> CheckNotExpired(const ClaimToken& token, WallTime now);

}  // namespace writ::plane
