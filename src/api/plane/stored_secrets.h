#pragma once

#include <memory>
#include <string>

#include "base/env.h"
#include "plane/core.h"
#include "secrets/credentials.h"

namespace writ::api {

/// The secrets of a state directory (`writ secret`), as a plane releases them: stored values, and those that `env:` and
/// `file:` sources give. The store is opened when the first run asks and again when its file has changed, so that a
/// claim does not pay for it. A secret that is bound to a host or read from a vault cannot be read here: its value
/// must not leave for a runner, or would keep every other call waiting.
/// `credentials` may be null. One thread uses the result.
plane::SecretLookup StoredSecrets(std::string state_dir, std::shared_ptr<const secrets::Credentials> credentials,
                                  EnvLookup env);

}  // namespace writ::api
