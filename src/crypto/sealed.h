#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/error.h"
#include "crypto/secret.h"

namespace writ::crypto {

/// Encrypted bytes under a master secret (docs/formats/evidence.md): AES-256-GCM, key by scrypt (N=16384, r=8, p=1).
/// Members are raw bytes; contract/sealed_file.h has the JSON form.
struct SealedBox {
  std::string salt;  ///< 16 bytes
  std::string iv;    ///< 12 bytes
  std::string tag;   ///< 16 bytes
  std::string data;  ///< as long as the plaintext
};

/// Master material from the text of a key file or variable: trimmed; 64 hex characters (any case) are 32 bytes,
/// anything else is a passphrase in UTF-8. Errors: kInvalid when nothing is left after trimming.
Result<SecretBytes> ReadMaster(std::string_view text);

/// The 32-byte key of one box. About 60 ms and 16 MiB, by design. Errors: kInternal.
Result<SecretBytes> DeriveSealKey(const SecretBytes& master, std::string_view salt);

/// Encrypts with fresh salt and iv. Errors: kInternal.
Result<SealedBox> Seal(ByteView plaintext, const SecretBytes& master);
/// Errors: kCorrupt when a member has a wrong length; kDenied when the tag does not match: a wrong master or
/// changed data, which cannot be told apart.
Result<SecretBytes> Open(const SealedBox& box, const SecretBytes& master);

}  // namespace writ::crypto
