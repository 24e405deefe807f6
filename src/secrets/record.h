#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/error.h"
#include "crypto/secret.h"

namespace writ::secrets {

inline constexpr std::size_t kValueBytesMax = 64 << 10;
inline constexpr std::size_t kSecretsMax = 1000;
inline constexpr std::size_t kStoreBytesMax = 16u << 20;  ///< of the plaintext

/// One named secret: a value, or where every run reads it anew.
struct SecretRecord {
  crypto::SecretBytes value;  ///< empty when `source` is set
  std::string host;           ///< the one host it is bound to; empty: none
  std::string source;         ///< `env:NAME`, `file:PATH` or `vault:PATH#FIELD`; empty: the value is stored
  std::string updated_at;     ///< timestamp
};
using SecretRecords = std::map<std::string, SecretRecord, std::less<>>;

/// A value that can be stored, redacted and put into an environment.
/// Errors: kInvalid for fewer than kSecretBytesMin bytes or a NUL byte; kExhausted over kValueBytesMax.
Result<> CheckValue(std::string_view name, ByteView value);

/// The plaintext of the sealed store: a JSON object (docs/formats/secrets.md). Errors: kExhausted over a bound.
Result<crypto::SecretBytes> EncodeRecords(const SecretRecords& records);
/// Inverse. Copies values into memory of their own and nowhere else.
/// Errors: kCorrupt for anything EncodeRecords does not write; kExhausted over a bound.
Result<SecretRecords> DecodeRecords(std::string_view text);

}  // namespace writ::secrets
