#include "session/end_orphan.h"

#include "contract/event.h"
#include "session/event_log.h"

namespace writ::session {

Result<canon::Json> EndOrphan(const EndParts& parts, const storage::Run& run, std::string_view summary) {
  EventLog log = WRIT_TRY("recover run", EventLog::Reopen(parts.store, parts.clock, run, parts.contract_hash));
  Ending ending;
  ending.status = RunState::kFailed;
  ending.message = "interrupted: the program that held the run ended before the run did";
  ending.before.push_back(
      contract::event::Extension("writ.run.interrupted", canon::Json::Of({{"reason", ending.message}})));
  return EndRun(parts, log, ending, summary);
}

}  // namespace writ::session
