#include "session/end_orphan.h"

#include "contract/event.h"
#include "session/event_log.h"

namespace writ::session {

namespace {

using canon::Json;

/// A text of an object in an object, or "".
std::string TextIn(const Json& object, std::string_view outer, std::string_view inner) {
  const Json* member = object.Find(outer);
  const std::string* text = member == nullptr ? nullptr : member->FindString(inner);
  return text == nullptr ? "" : *text;
}

}  // namespace

Ending OrphanEnding(const RunFacts& facts, const Json& contract) {
  const std::string how = facts.ended ? TextIn(*facts.ended, "termination", "how") : "";
  Ending ending;
  ending.status = RunState::kFailed;
  if (how == "cancelled") {
    ending.status = RunState::kCancelled;
    ending.actor = {TextIn(contract, "requestedBy", "kind"), TextIn(contract, "requestedBy", "id")};
  }
  ending.message = how.empty() ? "interrupted: the program that held the run ended before the run did"
                               : "interrupted: the program that held the run ended before it had collected the results";
  ending.before.push_back(contract::event::Extension("writ.run.interrupted", Json::Of({{"reason", ending.message}})));
  return ending;
}

Result<Json> EndOrphan(const EndParts& parts, const storage::Run& run, const SummaryMaker& summary) {
  EventLog log = WRIT_TRY("recover run", EventLog::Reopen(parts.store, parts.clock, run, parts.contract_hash));
  const std::string how = log.facts().ended ? TextIn(*log.facts().ended, "termination", "how") : "";
  const Ending ending = OrphanEnding(log.facts(), parts.contract);
  return EndRun(parts, log, ending, summary(how.empty() ? "interrupted" : how));
}

}  // namespace writ::session
