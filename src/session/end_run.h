#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "canon/json.h"
#include "contract/parts.h"
#include "crypto/ed25519.h"
#include "session/event_log.h"
#include "session/fault_point.h"
#include "session/run_state.h"
#include "storage/store.h"

namespace writ::session {

/// How a run is to be recorded as ended.
struct Ending {
  RunState status = RunState::kFailed;   ///< terminal
  std::string failure = "session_failed"; ///< failure class, for kFailed
  std::string message;                   ///< for kFailed
  contract::ActorRef actor;              ///< who cancelled, for kCancelled
  std::vector<canon::Json> before;       ///< events that belong to the end and come before the terminal one
  std::vector<storage::Artifact> artifacts;  ///< blobs the run names from now on; durable already
};

/// Adds the plane's signature to a receipt that the runner signed, after checking it against the chain. An error
/// leaves the run unended.
using Countersigner = std::function<Result<>(canon::Json& receipt, const RunFacts& facts)>;

/// The contract a run is ended under, and the keys. All borrowed.
struct EndParts {
  storage::Store& store;
  const Clock& clock;
  const canon::Json& contract;
  const std::string& contract_hash;
  const crypto::PrivateKey& runner_key;
  const Countersigner& countersign;
  const FaultHook& fault;
};

/// The parts of EndRun, for a runner whose plane is elsewhere and countersigns later.
/// Appends `ending.before` and the terminal event; nothing when the chain has its terminal event already.
Result<> AppendEnding(storage::Transaction& transaction, EventLog& log, const Ending& ending);
/// The receipt that the chain gives, signed by the runner. Precondition: the chain has its terminal event.
Result<canon::Json> SignedReceipt(const canon::Json& contract, std::string_view contract_hash, const RunFacts& facts,
                                  const crypto::PrivateKey& runner_key);
/// The status that a terminal event says.
RunState StatusOfTerminal(std::string_view event_type);

/// Writes the last events, the artifacts and the receipt as one durable change, so that a run is either not ended or
/// ended with its receipt. A chain that has its terminal event gets the receipt only. `summary` replaces the run's summary. Returns the receipt.
Result<canon::Json> EndRun(const EndParts& parts, EventLog& log, const Ending& ending, std::string_view summary);

}  // namespace writ::session
