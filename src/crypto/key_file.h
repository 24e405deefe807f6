#pragma once

#include <string>

#include "base/bytes.h"
#include "base/error.h"
#include "crypto/ed25519.h"
#include "crypto/secret.h"

namespace writ::crypto {

/// Reads a file that holds a secret. The file is opened once and judged by its descriptor.
/// Errors: kNotFound; kDenied when it is a link, no regular file, not owned by the caller, or readable or writable by
/// others (the text says what to run); kExhausted when longer than `bytes_max`.
Result<SecretBytes> ReadSecretFile(const std::string& path, std::size_t bytes_max = 64 << 10);

/// Creates a file with mode 0600 that appears complete or not at all: temporary name, fsync, rename, fsync of the
/// folder. Errors: kInvalid when `path` already exists (it is never replaced); kNotFound when the folder does not exist.
Result<> CreateSecretFile(const std::string& path, ByteView content);

/// The private key in a PKCS#8 PEM file. Errors as ReadSecretFile; kInvalid when it is no key.
Result<PrivateKey> ReadKeyFile(const std::string& path);

/// The key at `path`, made and stored first when there is none. Two callers at once get the same key.
Result<PrivateKey> ReadOrCreateKeyFile(const std::string& path);

/// A public key from a file that holds a public or a private key PEM. Public files may have any mode and be links.
/// Errors: kNotFound; kInvalid; kDenied.
Result<PublicKey> ReadPublicKeyFile(const std::string& path);

}  // namespace writ::crypto
