#pragma once

#include <optional>
#include <string>

#include "base/error.h"
#include "crypto/ed25519.h"

namespace writ::runner {

/// Who a runner is: what enrolment gave it, and its key.
struct Identity {
  std::string runner_id, runner_token, pool;
  std::string plane_pem;  ///< what the plane said its key is; empty: it said nothing
  bool extended = false;  ///< the plane knows `writ`
  crypto::PrivateKey key;
};

/// The files of the directory: `identity.json` {runnerId, runnerToken, pool, writ?}, `runner.pub.pem`, `runner.key.pem`,
/// all of mode 0600. nullopt when one of them is missing: the runner has to enrol.
/// Errors: kDenied when others may read them; kCorrupt when they contradict each other.
Result<std::optional<Identity>> ReadIdentity(const std::string& directory);
/// The key to enrol with: the one that is there, or a new one, stored.
Result<crypto::PrivateKey> ReadOrMakeKey(const std::string& directory);
/// Makes the identity durable; `identity.json` comes last.
Result<> StoreIdentity(const std::string& directory, const Identity& identity);

}  // namespace writ::runner
