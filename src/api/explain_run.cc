#include "api/explain_run.h"

#include "api/repeat_command.h"
#include "api/run_queries.h"

namespace writ::api {

Result<Explanation> ExplainRun(LocalState& state, std::string_view run) {
  const RunDetails details = WRIT_TRY("explain", ShowRun(state, run));
  const auto entries = WRIT_TRY("explain", RunEvents(state, details.row.run_id));
  const storage::Run stored = WRIT_TRY("explain", state.store().GetRun(details.row.run_id));
  const std::vector<std::string> options = DecodeSummary(stored.summary).options;
  Explanation explained;
  explained.run_id = details.row.run_id;
  explained.live = details.row.live;
  explained.story = TellNetwork(details.contract, entries);
  const NetworkStory& story = explained.story;
  if (story.argv.empty()) return explained;
  explained.granting_command = RepeatCommand(options, story.WithGrants(), story.argv);
  explained.least_command = RepeatCommand(options, story.Least(), story.argv);
  return explained;
}

}  // namespace writ::api
