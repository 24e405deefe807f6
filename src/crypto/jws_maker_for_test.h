#pragma once

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>

#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace writ::crypto {

/// An identity provider's side: a key of its own that signs tokens. For tests: aborts when OpenSSL fails.
class JwsMaker {
 public:
  JwsMaker(std::string algorithm, std::string kid) : algorithm_(std::move(algorithm)), kid_(std::move(kid)) {
    if (algorithm_ == "RS256") pkey_ = EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", std::size_t{2048});
    if (algorithm_ == "ES256") pkey_ = EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256");
    if (algorithm_ == "EdDSA") pkey_ = EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
    if (pkey_ == nullptr) std::abort();
  }
  ~JwsMaker() { EVP_PKEY_free(pkey_); }
  JwsMaker(const JwsMaker&) = delete;
  JwsMaker& operator=(const JwsMaker&) = delete;

  /// The members of the public key, JSON text without white space.
  std::string PublicJwk() const {
    const std::string kid = "{\"kid\":\"" + kid_ + "\",";
    if (algorithm_ == "RS256")
      return kid + "\"kty\":\"RSA\",\"n\":\"" + NumberOf(OSSL_PKEY_PARAM_RSA_N, 0) + "\",\"e\":\"" + NumberOf(OSSL_PKEY_PARAM_RSA_E, 0) + "\"}";
    if (algorithm_ == "ES256")
      return kid + "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" + NumberOf(OSSL_PKEY_PARAM_EC_PUB_X, 32) + "\",\"y\":\"" +
             NumberOf(OSSL_PKEY_PARAM_EC_PUB_Y, 32) + "\"}";
    std::vector<std::uint8_t> raw(32);
    std::size_t size = raw.size();
    if (EVP_PKEY_get_raw_public_key(pkey_, raw.data(), &size) != 1) std::abort();
    return kid + "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" + Base64UrlEncode(raw) + "\"}";
  }
  const std::string& algorithm() const { return algorithm_; }
  const std::string& kid() const { return kid_; }

  /// Signs with this key, whatever the header says.
  std::string SignWith(std::string_view header, std::string_view claims) const {
    const std::string input = InputOf(header, claims);
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    const EVP_MD* digest = algorithm_ == "EdDSA" ? nullptr : EVP_sha256();
    std::size_t size = 0;
    const auto bytes = AsBytes(input);
    if (EVP_DigestSignInit(context, nullptr, digest, nullptr, pkey_) != 1 ||
        EVP_DigestSign(context, nullptr, &size, bytes.data(), bytes.size()) != 1) {
      std::abort();
    }
    std::vector<std::uint8_t> signature(size);
    if (EVP_DigestSign(context, signature.data(), &size, bytes.data(), bytes.size()) != 1) std::abort();
    EVP_MD_CTX_free(context);
    signature.resize(size);
    if (algorithm_ == "ES256") signature = RawOf(signature);
    return input + "." + Base64UrlEncode(signature);
  }
  /// As an attacker does who takes the public key for a shared secret.
  std::string SignHmac(std::string_view header, std::string_view claims) const {
    const std::string input = InputOf(header, claims), secret = PublicJwk();
    std::uint8_t mac[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    const auto bytes = AsBytes(input);
    if (HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()), bytes.data(), bytes.size(), mac, &size) == nullptr) std::abort();
    return input + "." + Base64UrlEncode(ByteView(mac, size));
  }

 private:
  static std::string InputOf(std::string_view header, std::string_view claims) {
    return Base64UrlEncode(AsBytes(header)) + "." + Base64UrlEncode(AsBytes(claims));
  }
  std::string NumberOf(const char* parameter, int width) const {
    BIGNUM* number = nullptr;
    if (EVP_PKEY_get_bn_param(pkey_, parameter, &number) != 1) std::abort();
    std::vector<std::uint8_t> bytes(static_cast<std::size_t>(width > 0 ? width : BN_num_bytes(number)));
    if (BN_bn2binpad(number, bytes.data(), static_cast<int>(bytes.size())) < 0) std::abort();
    BN_free(number);
    return Base64UrlEncode(bytes);
  }
  static std::vector<std::uint8_t> RawOf(const std::vector<std::uint8_t>& der) {
    const std::uint8_t* at = der.data();
    ECDSA_SIG* pair = d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size()));
    std::vector<std::uint8_t> raw(64);
    if (pair == nullptr || BN_bn2binpad(ECDSA_SIG_get0_r(pair), raw.data(), 32) < 0 ||
        BN_bn2binpad(ECDSA_SIG_get0_s(pair), raw.data() + 32, 32) < 0) {
      std::abort();
    }
    ECDSA_SIG_free(pair);
    return raw;
  }

  std::string algorithm_, kid_;
  EVP_PKEY* pkey_ = nullptr;
};

}  // namespace writ::crypto
