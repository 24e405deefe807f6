#pragma once

#include <string_view>

#include "base/error.h"
#include "canon/json.h"
#include "session/end_run.h"
#include "storage/store.h"

namespace writ::session {

/// Ends a run whose process died before its receipt was stored: the chain that is left is verified and closed with
/// writ.run.interrupted and run.failed, and the receipt says `interrupted`. A chain that already has its terminal
/// event gets the receipt it was owed.
/// Preconditions: the caller holds the run's lock; `run` was read under it and has a contract and no receipt.
/// Errors: kCorrupt when contract or chain were changed: nothing is signed over that then.
Result<canon::Json> EndOrphan(const EndParts& parts, const storage::Run& run, std::string_view summary);

}  // namespace writ::session
