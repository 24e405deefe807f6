#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/error.h"
#include "crypto/secret.h"

namespace writ::crypto {

/// Key id of a public key: `ed25519:` and the first 16 hex characters of the SHA-256 of the trimmed PEM *text*
/// (docs/formats/evidence.md). Defined for any text, also for one that is no key: the same key with other line ends has
/// another id.
std::string KeyIdOfPem(std::string_view pem);
/// `^ed25519:[0-9a-f]{16}$`
bool IsKeyId(std::string_view text);

/// An Ed25519 public key.
class PublicKey {
 public:
  using Raw = std::array<std::uint8_t, 32>;
  /// Reads a SubjectPublicKeyInfo PEM. White space around it and CRLF line ends are accepted. Errors: kInvalid for
  /// anything else: other labels, other algorithms, text before the label, wrong or spare base64. (The original's
  /// reader also takes certificates and private keys here; nothing in the protocol produces those.)
  static Result<PublicKey> FromPem(std::string_view pem);
  static PublicKey FromRaw(const Raw& raw) { return PublicKey(raw); }

  const Raw& raw() const { return raw_; }
  std::string Pem() const;    ///< the form that is transmitted: one base64 line, LF, final line end
  std::string KeyId() const;  ///< of Pem()

  /// Whether `signature_base64` (as Base64DecodeLenient reads it) is a signature of `message`. False for anything
  /// malformed. libsodium refuses public keys and signature points of small order and non-canonical encodings of them;
  /// the original (OpenSSL) accepts some of those. An honest signer cannot produce one, and with such a key one
  /// signature fits several messages, so the stricter answer is kept.
  bool Verify(std::string_view message, std::string_view signature_base64) const;

  bool operator==(const PublicKey&) const = default;

 private:
  explicit PublicKey(const Raw& raw) : raw_(raw) {}
  Raw raw_;
};

/// An Ed25519 private key; the secret stays in locked memory. Moves only.
class PrivateKey {
 public:
  static PrivateKey Generate();
  static PrivateKey FromSeed(const std::array<std::uint8_t, 32>& seed);
  /// Reads a PKCS#8 PEM (version 1, no attributes; what the original and OpenSSL write). Errors: kInvalid.
  static Result<PrivateKey> FromPem(std::string_view pem);

  const PublicKey& public_key() const { return public_key_; }
  const std::string& key_id() const { return key_id_; }
  SecretBytes Pem() const;
  /// Standard base64 with padding of the 64-byte signature. Deterministic.
  std::string Sign(std::string_view message) const;

 private:
  PrivateKey(SecretBytes secret, const PublicKey& public_key);
  SecretBytes secret_;  ///< libsodium's form: seed, then public key
  PublicKey public_key_;
  std::string key_id_;
};

}  // namespace writ::crypto
