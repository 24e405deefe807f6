#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "canon/json.h"
#include "session/end_run.h"
#include "storage/store.h"

namespace writ::session {

/// Makes a run's summary from how the run ended, a word of `writ.termination`.
using SummaryMaker = std::function<std::string(std::string_view how)>;

/// How a chain that its process left without a terminal event is to be closed.
Ending OrphanEnding(const RunFacts& facts, const canon::Json& contract);

/// Ends a run whose process died before its receipt was stored: the chain that is left is verified and closed with
/// writ.run.interrupted and run.failed. The receipt says `interrupted`, or how the guest ended if the chain knows that;
/// what was to be collected is lost then. A run that was cancelled stays cancelled. A chain that already has its
/// terminal event gets the receipt it was owed.
/// Preconditions: the caller holds the run's lock; `run` was read under it and has a contract and no receipt.
/// Errors: kCorrupt when contract or chain were changed: nothing is signed over that then.
Result<canon::Json> EndOrphan(const EndParts& parts, const storage::Run& run, const SummaryMaker& summary);

}  // namespace writ::session
