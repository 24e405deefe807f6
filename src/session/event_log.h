#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "canon/json.h"
#include "contract/chain.h"
#include "session/run_facts.h"
#include "storage/store.h"

namespace writ::session {

/// The hash-chained events of one run on their way into the store. A happening is stored first and acted on after:
/// when an append fails, the run must stop, and every later append fails with the same error. One thread.
class EventLog {
 public:
  /// A new chain. `store` and `clock` are borrowed.
  EventLog(storage::Store& store, const Clock& clock, std::string run_id, std::string contract_hash);
  /// The chain of a run that is in the store: read and verified entry by entry.
  /// Errors: kCorrupt `event chain broken at seq N: REASON`, or when the store's head is another one.
  static Result<EventLog> Reopen(storage::Store& store, const Clock& clock, const storage::Run& run,
                                 std::string contract_hash);

  /// Adds an event to a transaction, stamped with both clocks. It is part of the chain from then on, so the caller
  /// commits or ends the run. Errors: kInvalid for an event that would move the run where it cannot go, or that
  /// comes after its end; those of the store.
  Result<> Append(storage::Transaction& transaction, canon::Json event);
  /// Adds events in a transaction of their own; visible to other processes when this returns.
  Result<> Append(std::vector<canon::Json> events);
  Result<> Append(canon::Json event);

  const std::string& run_id() const { return run_id_; }
  const RunFacts& facts() const { return facts_; }
  /// Microseconds since the first event, by the monotonic clock of this process.
  std::int64_t MonoMicros() const;

 private:
  Result<> Broken() const;
  Result<> CheckState(const canon::Json& event) const;

  storage::Store& store_;
  const Clock& clock_;
  std::string run_id_;
  contract::EventChain chain_;
  RunFacts facts_;
  MonoTime mono_zero_;
  std::int64_t mono_before_us_ = 0;  ///< what passed before this process took over
  std::optional<Error> broken_;
};

}  // namespace writ::session
