#include "session/end_run.h"

#include "contract/event.h"
#include "contract/names.h"
#include "contract/signing.h"
#include "session/receipt_builder.h"

namespace writ::session {
namespace {

namespace event = contract::event;

canon::Json TerminalEvent(const Ending& ending) {
  switch (ending.status) {
    case RunState::kCompleted: return event::RunCompleted();
    case RunState::kCancelled: return event::RunCancelled(ending.actor);
    default: return event::RunFailed(ending.failure, ending.message);
  }
}

/// The status that a chain's own last entry says.
RunState StatusOf(std::string_view terminal) {
  if (terminal == "run.completed") return RunState::kCompleted;
  if (terminal == "run.cancelled") return RunState::kCancelled;
  return RunState::kFailed;
}

}  // namespace

Result<canon::Json> EndRun(const EndParts& parts, EventLog& log, const Ending& ending, std::string_view summary) {
  const auto transaction = WRIT_TRY("end run", parts.store.Begin());
  if (log.facts().terminal.empty()) {
    for (const auto& happened : ending.before) WRIT_TRY("end run", log.Append(*transaction, happened));
    WRIT_TRY("end run", log.Append(*transaction, TerminalEvent(ending)));
    for (const auto& artifact : ending.artifacts)
      WRIT_TRY("end run", transaction->AddArtifact(log.run_id(), artifact));
  }
  const RunState status = StatusOf(log.facts().terminal);
  canon::Json receipt =
      WRIT_TRY("end run", BuildReceipt(parts.contract, parts.contract_hash, log.facts(), status));
  WRIT_TRY("sign receipt", contract::AppendSignature(receipt, contract::kSignerRunner, parts.runner_key));
  WRIT_TRY("countersign receipt", parts.countersign(receipt, log.facts()));
  WRIT_TRY("store receipt", transaction->SetSummary(log.run_id(), summary));
  WRIT_TRY("store receipt", transaction->SetReceipt(log.run_id(), canon::Compact(receipt), log.facts().chain.head(), status,
                                                    parts.clock.Now()));
  Reach(parts.fault, fault::kSigned);
  WRIT_TRY("store receipt", transaction->Commit(storage::Durability::kDurable));
  Reach(parts.fault, fault::kEnded);
  return receipt;
}

}  // namespace writ::session
