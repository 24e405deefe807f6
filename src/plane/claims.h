#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/secret.h"
#include "plane/claim_token.h"
#include "plane/core.h"
#include "plane/refusal.h"

namespace writ::plane {

struct ClaimedRun {
  std::string run_id;
  std::string contract;             ///< JSON text as it is stored
  std::vector<std::string> events;  ///< likewise, one per entry
  std::string claim_token;
  struct Secret {
    std::string name;
    crypto::SecretBytes value;
    std::string host;  ///< the one host it is for; empty: the job's own
  };
  std::vector<Secret> secrets;
  std::uint32_t attempt = 1;
  Millis lease{};
};

/// Gives a runner the next run of its pool that fits what it can do: lease, run.claimed, secret.released, all in one
/// change, before any value leaves. A run whose secret the plane does not have, or that is bound to a host and would not be
/// kept from the job by this runner, is ended with a receipt that says so, and the next one is looked at. One whose secrets
/// are still being fetched keeps its place; Core::look_again says when its pool is to be asked again. `host` is what the runner says of its host, an object; null for a runner without the extension.
/// nullopt: nothing fits.
Answer<std::optional<ClaimedRun>> ClaimNext(Core& core, Change& change, const storage::Runner& runner,
                                            const RunnerOffer& offer, const canon::Json& host);

/// Who a claim token lets report on a run.
struct Reporter {
  ClaimToken token;
  HeldRun* held = nullptr;  ///< null when the run is no longer held by this claim: it has ended
};
/// Judges a claim token for a run. A claim that is alive keeps its token alive, whatever the wall clock says.
/// Refusals: those of claim_token.h; 401 `claim token run mismatch`, `claim token runner mismatch`; 404
/// `unknown run ID`; 409 `run ID was given to another runner` for a claim that was lost.
Answer<Reporter> CheckReporter(Core& core, std::string_view token, std::string_view run_id, WallTime now);

/// Prolongs the lease, if it can be.
Answer<> Renew(Core& core, Change& change, std::string_view run_id, const Reporter& reporter);
/// A heartbeat: prolongs the lease, and returns a token with a new expiry. 409 when the run is no longer held.
Answer<std::string> Heartbeat(Core& core, Change& change, std::string_view run_id, const Reporter& reporter);

}  // namespace writ::plane
