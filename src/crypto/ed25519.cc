#include "crypto/ed25519.h"

#include <sodium.h>

#include <algorithm>
#include <cstring>
#include <span>

#include "base/ids.h"
#include "base/utf8.h"
#include "crypto/digest.h"
#include "crypto/sodium_ready.h"

namespace writ::crypto {
namespace {

constexpr std::size_t kPemBytesMax = 8192;

// DER up to the 32 key bytes. Source: RFC 8410 sections 4 and 7.
constexpr std::array<std::uint8_t, 12> kSpkiPrefix = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};
constexpr std::array<std::uint8_t, 16> kPkcs8Prefix = {0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06,
                                                       0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20};

/// Reads the 32 bytes after `prefix` from a PEM with the given label. The scratch copy is wiped.
template <std::size_t kPrefixBytes>
Result<> ReadPem(std::string_view pem, std::string_view label, const std::array<std::uint8_t, kPrefixBytes>& prefix,
                 std::span<std::uint8_t, 32> out) {
  if (pem.size() > kPemBytesMax) return Fail(Code::kInvalid, "a PEM of {} bytes is longer than {}", pem.size(), kPemBytesMax);
  pem = TrimSpace(pem);
  const std::string begin = fmt::format("-----BEGIN {}-----", label), end = fmt::format("-----END {}-----", label);
  if (pem.size() < begin.size() + end.size() || !pem.starts_with(begin) || !pem.ends_with(end)) {
    return Fail(Code::kInvalid, "not a PEM with the label \"{}\"", label);
  }
  const std::string_view body = pem.substr(begin.size(), pem.size() - begin.size() - end.size());
  if (body.find('\n') == std::string_view::npos) {
    return Fail(Code::kInvalid, "a PEM needs a line end after its first line");
  }
  std::array<std::uint8_t, kPrefixBytes + 33> der;  // one spare byte shows a body that is too long
  std::size_t bytes = 0;
  const char* rest = nullptr;
  const int status = sodium_base642bin(der.data(), der.size(), body.data(), body.size(), "\r\n", &bytes, &rest,
                                       sodium_base64_VARIANT_ORIGINAL);
  const bool whole = status == 0 && rest == body.data() + body.size();
  const bool right = whole && bytes == kPrefixBytes + 32 && std::equal(prefix.begin(), prefix.end(), der.begin());
  if (right) std::memcpy(out.data(), der.data() + kPrefixBytes, 32);
  sodium_memzero(der.data(), der.size());
  if (!whole) return Fail(Code::kInvalid, "the PEM body is not {} bytes in base64", kPrefixBytes + 32);
  if (!right) return Fail(Code::kInvalid, "the PEM does not hold an Ed25519 key");
  return {};
}

}  // namespace

std::string KeyIdOfPem(std::string_view pem) { return "ed25519:" + Sha256Hex(TrimSpace(pem)).substr(0, 16); }

bool IsKeyId(std::string_view text) {
  constexpr std::string_view kPrefix = "ed25519:";
  return text.size() == kPrefix.size() + 16 && text.starts_with(kPrefix) &&
         text.find_first_not_of("0123456789abcdef", kPrefix.size()) == std::string_view::npos;
}

Result<PublicKey> PublicKey::FromPem(std::string_view pem) {
  Raw raw;
  WRIT_TRY("read public key", ReadPem(pem, "PUBLIC KEY", kSpkiPrefix, std::span(raw)));
  return PublicKey(raw);
}

std::string PublicKey::Pem() const {
  std::array<std::uint8_t, kSpkiPrefix.size() + 32> der;
  std::ranges::copy(kSpkiPrefix, der.begin());
  std::ranges::copy(raw_, der.begin() + kSpkiPrefix.size());
  return fmt::format("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", Base64Encode(der));
}

std::string PublicKey::KeyId() const { return KeyIdOfPem(Pem()); }

bool PublicKey::Verify(std::string_view message, std::string_view signature_base64) const {
  // 64 bytes are at most 88 characters; longer text is not worth decoding.
  if (signature_base64.size() > 128) return false;
  const auto signature = Base64DecodeLenient(signature_base64);
  if (!signature || signature->size() != crypto_sign_BYTES) return false;
  return crypto_sign_verify_detached(AsBytes(*signature).data(), AsBytes(message).data(), message.size(), raw_.data()) == 0;
}

PrivateKey::PrivateKey(SecretBytes secret, const PublicKey& public_key)
    : secret_(std::move(secret)), public_key_(public_key), key_id_(public_key.KeyId()) {}

PrivateKey PrivateKey::FromSeed(const std::array<std::uint8_t, 32>& seed) {
  EnsureSodium();
  SecretBytes secret(crypto_sign_SECRETKEYBYTES);
  PublicKey::Raw raw;
  crypto_sign_seed_keypair(raw.data(), secret.bytes().data(), seed.data());
  return PrivateKey(std::move(secret), PublicKey::FromRaw(raw));
}

PrivateKey PrivateKey::Generate() {
  std::array<std::uint8_t, 32> seed;
  FillRandom(seed);
  PrivateKey key = FromSeed(seed);
  Wipe(std::span(seed));
  return key;
}

Result<PrivateKey> PrivateKey::FromPem(std::string_view pem) {
  std::array<std::uint8_t, 32> seed;
  WRIT_TRY("read private key", ReadPem(pem, "PRIVATE KEY", kPkcs8Prefix, std::span(seed)));
  PrivateKey key = FromSeed(seed);
  Wipe(std::span(seed));
  return key;
}

SecretBytes PrivateKey::Pem() const {
  constexpr std::string_view kBegin = "-----BEGIN PRIVATE KEY-----\n", kEnd = "\n-----END PRIVATE KEY-----\n";
  std::array<std::uint8_t, kPkcs8Prefix.size() + 32> der;
  std::ranges::copy(kPkcs8Prefix, der.begin());
  std::ranges::copy(secret_.bytes().first(32), der.begin() + kPkcs8Prefix.size());
  std::array<char, sodium_base64_ENCODED_LEN(sizeof der, sodium_base64_VARIANT_ORIGINAL)> body;
  sodium_bin2base64(body.data(), body.size(), der.data(), der.size(), sodium_base64_VARIANT_ORIGINAL);
  const std::size_t body_bytes = body.size() - 1;  // without the final NUL
  SecretBytes pem(kBegin.size() + body_bytes + kEnd.size());
  auto at = std::ranges::copy(AsBytes(kBegin), pem.bytes().begin()).out;
  at = std::copy_n(body.begin(), body_bytes, at);
  std::ranges::copy(AsBytes(kEnd), at);
  sodium_memzero(der.data(), der.size());
  sodium_memzero(body.data(), body.size());
  return pem;
}

std::string PrivateKey::Sign(std::string_view message) const {
  std::array<std::uint8_t, crypto_sign_BYTES> signature;
  crypto_sign_detached(signature.data(), nullptr, AsBytes(message).data(), message.size(), secret_.bytes().data());
  return Base64Encode(signature);
}

}  // namespace writ::crypto
