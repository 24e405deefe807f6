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

}  // namespace

RunState StatusOfTerminal(std::string_view event_type) {
  if (event_type == "run.completed") return RunState::kCompleted;
  if (event_type == "run.cancelled") return RunState::kCancelled;
  return RunState::kFailed;
}

Result<> AppendEnding(storage::Transaction& transaction, EventLog& log, const Ending& ending) {
  if (!log.facts().terminal.empty()) return {};
  for (const auto& happened : ending.before) WRIT_TRY("end run", log.Append(transaction, happened));
  return log.Append(transaction, TerminalEvent(ending));
}

Result<canon::Json> SignedReceipt(const canon::Json& contract, std::string_view contract_hash, const RunFacts& facts,
                                  const crypto::PrivateKey& runner_key) {
  canon::Json receipt = WRIT_TRY("end run", BuildReceipt(contract, contract_hash, facts, StatusOfTerminal(facts.terminal)));
  WRIT_TRY("sign receipt", contract::AppendSignature(receipt, contract::kSignerRunner, runner_key));
  return receipt;
}

Result<canon::Json> EndRun(const EndParts& parts, EventLog& log, const Ending& ending, std::string_view summary) {
  const auto transaction = WRIT_TRY("end run", parts.store.Begin());
  if (log.facts().terminal.empty()) {
    WRIT_TRY("end run", AppendEnding(*transaction, log, ending));
    for (const auto& artifact : ending.artifacts)
      WRIT_TRY("end run", transaction->AddArtifact(log.run_id(), artifact));
  }
  const RunState status = StatusOfTerminal(log.facts().terminal);
  canon::Json receipt =
      WRIT_TRY("end run", SignedReceipt(parts.contract, parts.contract_hash, log.facts(), parts.runner_key));
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
