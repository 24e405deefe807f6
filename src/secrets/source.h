#pragma once

#include <string>
#include <string_view>

#include "base/deadline.h"
#include "base/env.h"
#include "base/error.h"
#include "crypto/secret.h"
#include "secrets/credentials.h"

namespace writ::secrets {

/// Where a value comes from.
enum class SourceKind : std::uint8_t {
  kEnv,   ///< `env:NAME`: a variable of this process
  kFile,  ///< `file:PATH`: a regular file; one line end at its end is not part of the value
  kFd,    ///< `fd:N`: an open descriptor, read to its end, likewise
  kVault  ///< `vault:PATH#FIELD`: HashiCorp Vault, key-value engine version 2
};
struct Source {
  SourceKind kind = SourceKind::kEnv;
  std::string place;  ///< name, path, number, or PATH#FIELD
};

/// Errors: kInvalid, saying which forms there are.
Result<Source> ParseSource(std::string_view text);

/// Whether a run may read it anew: a descriptor cannot be.
bool CanBeKept(const Source& source);

/// What reading may need. All borrowed.
struct SourceParts {
  const EnvLookup& env;
  const Credentials& credentials;
  Deadline deadline;
};

/// Reads a value; CheckValue is the caller's. Errors: kNotFound when there is none; kInvalid, kExhausted; those of
/// FetchFromVault. No text contains a value.
Result<crypto::SecretBytes> ReadSource(const Source& source, const SourceParts& parts);

/// Everything up to the end of a descriptor without one line end at its end.
/// Errors: kExhausted over kValueBytesMax.
Result<crypto::SecretBytes> ReadValue(int fd);

}  // namespace writ::secrets
