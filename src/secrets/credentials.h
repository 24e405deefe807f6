#pragma once

#include <string>

#include "base/error.h"
#include "crypto/secret.h"

namespace writ::secrets {

/// What this process was given through its environment and nobody else is to find there.
struct Credentials {
  crypto::SecretBytes master;       ///< $WRIT_MASTER_KEY
  crypto::SecretBytes vault_token;  ///< $VAULT_TOKEN
  crypto::SecretBytes plane_token;  ///< $WRIT_PLANE_TOKEN
};

/// Takes a variable out of this process's environment: the value is copied, overwritten where the kernel shows it
/// (/proc/PID/environ) and the name removed. Empty when it is not set. Call while there is one thread.
crypto::SecretBytes TakeVariable(const std::string& name);

/// TakeVariable of each.
Credentials TakeCredentials();

/// For a process that holds secrets: no core file, and no other process of the same user may read its memory or its
/// /proc entries. Cannot be undone. Errors: from prctl and setrlimit.
Result<> KeepMemoryPrivate();

}  // namespace writ::secrets
