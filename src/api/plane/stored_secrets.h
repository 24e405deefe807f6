#pragma once

#include <memory>
#include <string>

#include "base/env.h"
#include "plane/core.h"
#include "secrets/credentials.h"

namespace writ::api {

inline constexpr Millis kVaultAnswerHolds{10'000};

/// The secrets of a state directory (`writ secret`), as a plane releases them: stored values, and those that `env:`,
/// `file:` and `vault:` sources give. The store is opened when the first run asks and again when its file has changed, so
/// that a claim does not pay for it. A vault is asked on a thread of its own: until it has answered the value is "not yet"
/// (kDeadline), and what it answered, be it a refusal, holds for kVaultAnswerHolds.
/// `credentials` may be null. One thread uses the result.
plane::SecretLookup StoredSecrets(std::string state_dir, std::shared_ptr<const secrets::Credentials> credentials,
                                  EnvLookup env);

}  // namespace writ::api
