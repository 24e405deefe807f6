#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "isolation/backend.h"
#include "session/egress_order.h"
#include "session/end_run.h"
#include "session/event_log.h"
#include "session/exit_code.h"
#include "session/fault_point.h"
#include "session/guest_output.h"
#include "session/materialise.h"
#include "session/redaction.h"
#include "session/run_results.h"
#include "storage/blob_store.h"
#include "storage/store.h"

namespace writ::session {

/// Takes what a run left into the blob store. Called once, after the guest's last process is dead; `guest` is null when
/// nothing was started or its files do not count.
using ResultCollector = std::function<Result<RunResults>(isolation::Session* guest, GuestOutput& output)>;

/// One contracted and claimed run, ready to be carried out. All of it follows from the contract; what it is to see has
/// been materialised, and the chain says so.
struct RunOrder {
  Materialised given;
  isolation::SessionSpec spec;  ///< with the layers of `given` (LendLayers)
  std::vector<workspace::DeclaredOutput> outputs;
  std::string execution_hash;
  Redaction redaction = {};     ///< of the secrets that were released to it
  contract::ActorRef requester; ///< who cancels, when the run is cancelled here
  LiveLogPlace live_log = {};   ///< where other commands see the output while the run goes on
  std::optional<EgressOrder> egress = {};  ///< the way out; absent: none, and `spec.doors` is false
  std::optional<std::uint64_t> log_bytes_max = {};  ///< of both streams together; crossing it ends the run
  bool warrant_words = false;   ///< what could not be executed is told in log and events as the original protocol does
  bool budget_time = false;     ///< the time limit is the contract's budget: passing it is `budget_exceeded`
  ResultCollector collect = {};  ///< empty: CollectResults over `given`
};

/// Looks after a run while it goes on. Called on the engine's thread.
class RunMonitor {
 public:
  virtual ~RunMonitor() = default;
  /// At least every 50 ms while the guest runs, and once before it starts. `guest` is null then.
  /// Returns who wants the run to end, if anybody.
  virtual CancelledBy Poll(isolation::Session* guest) = 0;
  virtual void OnGuestEnd() {}
  /// Asked after each Poll of a running guest; must not use the store, which the network of the run may be using.
  virtual std::optional<RuleUpdate> NewRules() { return std::nullopt; }
  /// The last update is recorded and in force, or why it is not.
  virtual void OnRulesApplied(const Result<>&) {}
};

/// What became of it. How the guest ended is in the chain; `ending`, with what was collected since, still has to be
/// written (session/end_run.h).
struct RunEnd {
  isolation::Outcome outcome;
  isolation::Guarantees guarantees;  ///< empty when nothing was started
  RunResults results;
  Ending ending;
  int exit_code = 125;               ///< of `writ run`
  std::string problem;               ///< why Writ decided the exit code; empty when it is the job's own
  std::unique_ptr<isolation::Session> closing;  ///< on its way out while the receipt is written; destruction waits for it
};

/// workspace.materialized and writ.input.staged: what a runner says once it has materialised.
std::vector<canon::Json> MaterialisedEvents(const Materialised& given);

/// Carries out one run: start, wait, collect.
class RunEngine {
 public:
  /// Everything is borrowed.
  struct Parts {
    storage::BlobStore& blobs;
    const Clock& clock;
    isolation::Backend& backend;
    const StatePlace& state;
      const FaultHook& fault;
  };
  explicit RunEngine(const Parts& parts) : parts_(parts) {}

  /// `log` says that the run is materialised; `live` gets the output as it comes.
  /// A guest that fails, a tier that cannot start it and results that cannot be collected are ends of the run, not
  /// errors. Errors: only when the log cannot be written; the guest is dead then, and the run has no end yet.
  Result<RunEnd> Carry(RunOrder order, EventLog& log, isolation::OutputSink& live, RunMonitor& monitor);

 private:
  struct Guest;
  Result<> Drive(Guest& guest, RunOrder& order, EventLog& log, RunMonitor& monitor);
  static bool InterruptUnlessServed(Guest& guest);
  void Report(Guest& guest, const RunOrder& order, RunEnd& end);

  Parts parts_;
};

}  // namespace writ::session
