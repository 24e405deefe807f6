#pragma once

#include <string>

#include "base/error.h"
#include "crypto/secret.h"

namespace writ::secrets {

inline constexpr const char* kMasterVariable = "WRIT_MASTER_KEY";
inline constexpr const char* kMasterFile = "master.key";

/// The master of the sealed store: `from_environment` (what $WRIT_MASTER_KEY held) unless it is empty, else
/// DIRECTORY/master.key. Errors: kNotFound when there is neither; kDenied for a file that others can reach, naming the
/// command that mends it; kInvalid for an empty master.
Result<crypto::SecretBytes> ReadMasterKey(const std::string& directory, const crypto::SecretBytes& from_environment);

/// The same; without either, a file with 32 random bytes in hex is made first, mode 0600. Two callers at once get the
/// same key.
Result<crypto::SecretBytes> ReadOrCreateMasterKey(const std::string& directory, const crypto::SecretBytes& from_environment);

}  // namespace writ::secrets
