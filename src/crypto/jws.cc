#include "crypto/jws.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "base/freed_by.h"
#include "crypto/ed25519.h"

namespace writ::crypto {

namespace {

using Pkey = std::unique_ptr<EVP_PKEY, FreedBy<EVP_PKEY_free>>;
using PkeyContext = std::unique_ptr<EVP_PKEY_CTX, FreedBy<EVP_PKEY_CTX_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, FreedBy<EVP_MD_CTX_free>>;
using Number = std::unique_ptr<BIGNUM, FreedBy<BN_free>>;
using Params = std::unique_ptr<OSSL_PARAM, FreedBy<OSSL_PARAM_free>>;
using ParamBuilder = std::unique_ptr<OSSL_PARAM_BLD, FreedBy<OSSL_PARAM_BLD_free>>;
using EcdsaSignature = std::unique_ptr<ECDSA_SIG, FreedBy<ECDSA_SIG_free>>;

constexpr int kRsaBitsMin = 2048, kRsaBitsMax = 8192;
constexpr std::size_t kCoordinateBytes = 32, kEd25519Bytes = 32, kEd25519SignatureBytes = 64;

Number NumberOf(ByteView bytes) { return Number(BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr)); }

/// A public key out of its parameters; null when OpenSSL does not take them.
Pkey KeyFrom(const char* type, OSSL_PARAM_BLD* builder) {
  const Params params(OSSL_PARAM_BLD_to_param(builder));
  const PkeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* raw = nullptr;
  if (!params || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &raw, EVP_PKEY_PUBLIC_KEY, params.get()) != 1) {
    EVP_PKEY_free(raw);
    ERR_clear_error();
    return nullptr;
  }
  return Pkey(raw);
}

/// r and s of 32 bytes each as the DER that OpenSSL reads.
std::vector<std::uint8_t> DerOf(ByteView signature) {
  if (signature.size() != 2 * kCoordinateBytes) return {};
  Number r = NumberOf(signature.first(kCoordinateBytes)), s = NumberOf(signature.last(kCoordinateBytes));
  const EcdsaSignature pair(ECDSA_SIG_new());
  if (!pair || !r || !s || ECDSA_SIG_set0(pair.get(), r.get(), s.get()) != 1) return {};
  static_cast<void>(r.release());  // owned by the pair now
  static_cast<void>(s.release());
  const int length = i2d_ECDSA_SIG(pair.get(), nullptr);
  if (length <= 0) return {};
  std::vector<std::uint8_t> der(static_cast<std::size_t>(length));
  std::uint8_t* out = der.data();
  if (i2d_ECDSA_SIG(pair.get(), &out) != length) return {};
  return der;
}

}  // namespace

struct JwsKey::Parts {
  Pkey pkey;
  std::optional<PublicKey> ed25519;
};

Result<JwsKey> JwsKey::Rsa(ByteView n, ByteView e) {
  if (n.empty() || n.size() > kRsaBitsMax / 8 + 1 || e.empty() || e.size() > 4) return Fail(Code::kInvalid, "RSA key has numbers of a wrong size");
  const Number modulus = NumberOf(n), exponent = NumberOf(e);
  if (!modulus || !exponent) return Fail(Code::kExhausted, "no memory for an RSA key");
  const int bits = BN_num_bits(modulus.get());
  if (bits < kRsaBitsMin || bits > kRsaBitsMax) return Fail(Code::kInvalid, "RSA key has {} bits; {} to {} are allowed", bits, kRsaBitsMin, kRsaBitsMax);
  if (!BN_is_odd(modulus.get()) || !BN_is_odd(exponent.get()) || BN_is_one(exponent.get())) return Fail(Code::kInvalid, "RSA key has an even number or exponent 1");
  const ParamBuilder builder(OSSL_PARAM_BLD_new());
  if (!builder || OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get()) != 1) {
    return Fail(Code::kExhausted, "no memory for an RSA key");
  }
  auto parts = std::make_shared<Parts>();
  parts->pkey = KeyFrom("RSA", builder.get());
  if (!parts->pkey) return Fail(Code::kInvalid, "not an RSA key");
  return JwsKey("RS256", std::move(parts));
}

Result<JwsKey> JwsKey::EcP256(ByteView x, ByteView y) {
  if (x.size() != kCoordinateBytes || y.size() != kCoordinateBytes) return Fail(Code::kInvalid, "P-256 coordinates must have {} bytes", kCoordinateBytes);
  std::vector<std::uint8_t> point = {0x04};
  point.insert(point.end(), x.begin(), x.end());
  point.insert(point.end(), y.begin(), y.end());
  const ParamBuilder builder(OSSL_PARAM_BLD_new());
  if (!builder || OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) != 1 ||
      OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()) != 1) {
    return Fail(Code::kExhausted, "no memory for a P-256 key");
  }
  auto parts = std::make_shared<Parts>();
  parts->pkey = KeyFrom("EC", builder.get());
  if (!parts->pkey) return Fail(Code::kInvalid, "not a point of P-256");
  const PkeyContext check(EVP_PKEY_CTX_new_from_pkey(nullptr, parts->pkey.get(), nullptr));
  if (!check || EVP_PKEY_public_check(check.get()) != 1) {
    ERR_clear_error();
    return Fail(Code::kInvalid, "not a point of P-256");
  }
  return JwsKey("ES256", std::move(parts));
}

Result<JwsKey> JwsKey::Ed25519(ByteView x) {
  if (x.size() != kEd25519Bytes) return Fail(Code::kInvalid, "an Ed25519 key must have {} bytes", kEd25519Bytes);
  PublicKey::Raw raw{};
  std::ranges::copy(x, raw.begin());
  auto parts = std::make_shared<Parts>();
  parts->ed25519 = PublicKey::FromRaw(raw);
  return JwsKey("EdDSA", std::move(parts));
}

bool JwsKey::Verify(std::string_view message, ByteView signature) const {
  if (parts_->ed25519) return signature.size() == kEd25519SignatureBytes && parts_->ed25519->Verify(message, Base64Encode(signature));
  std::vector<std::uint8_t> der;
  if (algorithm_ == "ES256") {
    der = DerOf(signature);
    if (der.empty()) return false;
    signature = der;
  }
  const DigestContext context(EVP_MD_CTX_new());
  const auto bytes = AsBytes(message);
  const bool good = context && EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, parts_->pkey.get()) == 1 &&
                    EVP_DigestVerify(context.get(), signature.data(), signature.size(), bytes.data(), bytes.size()) == 1;
  ERR_clear_error();
  return good;
}

Result<std::string> Base64UrlDecodeStrict(std::string_view text) {
  const bool alphabet = std::ranges::all_of(text, [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
  if (!alphabet) return Fail(Code::kInvalid, "not base64url without padding");
  std::string bytes = WRIT_TRY("base64url", Base64DecodeLenient(text));
  if (Base64UrlEncode(AsBytes(bytes)) != text) return Fail(Code::kInvalid, "base64url with stray bits");
  return bytes;
}

Result<JwsParts> SplitJws(std::string_view token) {
  if (token.size() > kJwsBytesMax) return Fail(Code::kInvalid, "a token has at most {} bytes", kJwsBytesMax);
  const auto first = token.find('.');
  const auto second = first == std::string_view::npos ? first : token.find('.', first + 1);
  if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos)
    return Fail(Code::kInvalid, "a token has three segments");
  JwsParts parts;
  parts.signing_input = token.substr(0, second);
  parts.header = WRIT_TRY("header", Base64UrlDecodeStrict(token.substr(0, first)));
  parts.payload = WRIT_TRY("payload", Base64UrlDecodeStrict(token.substr(first + 1, second - first - 1)));
  parts.signature = WRIT_TRY("signature", Base64UrlDecodeStrict(token.substr(second + 1)));
  return parts;
}

}  // namespace writ::crypto
