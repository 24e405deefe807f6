#pragma once

#include <memory>
#include <string>

#include "base/error.h"
#include "crypto/secret.h"
#include "http/serve/serve_settings.h"
#include "plane/core.h"
#include "secrets/credentials.h"

namespace writ::http {

/// The keys of the plane in `state`, made first when there are none: `keys/plane.key.enc` and `keys/keeper.key.enc`
/// sealed under the master, `keys/plane.pub.pem` for whoever wants to pin it. `master` is $WRIT_MASTER_KEY or
/// $WARRANT_MASTER_KEY; empty: `master.key` of the directory, made when absent. Errors: kDenied for another master.
Result<plane::PlaneKeys> ReadOrCreatePlaneKeys(const std::string& state, const crypto::SecretBytes& master);

/// 32 random bytes, base64url without padding.
std::string MakeToken();

/// `writ serve --init`: keys, a policy, and `serve.json` (0600) with new tokens. Returns what is shown, once: it has the
/// admin token. Errors: kInvalid when the directory has settings already; nothing is replaced.
Result<std::string> InitialiseHome(const ServeSettings& settings, const crypto::SecretBytes& master);

/// The secrets of the directory: `secrets.sealed` (`writ secret`; api/plane/stored_secrets.h), without it the original's
/// `secrets.enc`. `credentials` is never null.
plane::SecretLookup SecretsOf(const std::string& state, std::shared_ptr<const secrets::Credentials> credentials, const EnvLookup& env);

}  // namespace writ::http
