#pragma once

#include <string>

#include "canon/json.h"
#include "crypto/jws_maker_for_test.h"

namespace writ::plane {

/// An identity provider's side: a key of its own that signs tokens.
class TokenMaker {
 public:
  TokenMaker(std::string algorithm, std::string kid) : maker_(std::move(algorithm), std::move(kid)) {}

  canon::Json PublicJwk() const { return *canon::Parse(maker_.PublicJwk(), canon::Mode::kStrict); }
  std::string Sign(const canon::Json& claims) const {
    return SignWith(canon::Json::Of({{"alg", maker_.algorithm()}, {"kid", maker_.kid()}, {"typ", "JWT"}}), claims);
  }
  /// Signs with this key, whatever the header says.
  std::string SignWith(const canon::Json& header, const canon::Json& claims) const {
    return maker_.SignWith(canon::Compact(header), canon::Compact(claims));
  }
  /// As an attacker does who takes the public key for a shared secret.
  std::string SignHmac(const canon::Json& header, const canon::Json& claims) const {
    return maker_.SignHmac(canon::Compact(header), canon::Compact(claims));
  }

 private:
  crypto::JwsMaker maker_;
};

}  // namespace writ::plane
