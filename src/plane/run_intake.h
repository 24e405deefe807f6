#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "canon/json.h"
#include "contract/contract.h"
#include "plane/change.h"
#include "plane/core.h"
#include "plane/issue_contract.h"
#include "plane/refusal.h"
#include "plane/run_request.h"
#include "storage/plane_tables.h"

namespace writ::plane {

/// What became of a submission: the answer's body, or a denial that has been logged. Both are kept.
struct Submitted {
  canon::Json answer;
  std::optional<Refusal> denied;  ///< 403 policy_denied; set instead of `answer`
};

/// Judges a request and keeps what follows: a signed contract in the queue, a run that waits for consent, or an entry in
/// the decision log. Errors: 400 for an egress rule; 429 when the principal has too many waiting runs; the store's.
Answer<Submitted> SubmitRun(Core& core, Change& change, const storage::Principal& principal, const RunRequest& request);

/// What SubmitRun would do, in the words of a dry run. Nothing is stored. Errors: 403 policy_denied as SubmitRun.
Answer<canon::Json> PreviewRun(const Core& core, const storage::Principal& principal, const RunRequest& request);

/// The row of lists: what the store's `summary` of a run holds.
canon::Json SummaryOf(const contract::Contract& draft, std::string_view principal,
                      const std::vector<std::string>& consent_requirements);

/// Begins the chain of a run whose contract was just signed, and queues it.
Answer<> StartRun(Core& core, Change& change, std::string_view run_id, SignedRun run, std::string_view tenant);

}  // namespace writ::plane
