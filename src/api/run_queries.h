#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/local_plane.h"
#include "api/local_state.h"

namespace writ::api {

// What can be asked of a state directory. Preconditions: `state` is open.

Result<std::vector<RunRow>> ListRuns(LocalState& state, std::size_t limit, bool live_only);
Result<RunDetails> ShowRun(LocalState& state, std::string_view run);
Result<std::vector<canon::Json>> RunEvents(LocalState& state, std::string_view run);
Result<std::vector<ArtifactRow>> RunArtifacts(LocalState& state, std::string_view run);
Result<> CopyArtifact(LocalState& state, const ArtifactRow& artifact, const LocalPlane::Writer& write);
/// Without the first `skip` bytes. Errors: kUnavailable while the run has no receipt.
Result<> CopyKind(LocalState& state, std::string_view run, std::string_view kind, const LocalPlane::Writer& write,
                  std::uint64_t skip = 0);
Result<std::vector<canon::Json>> ListDecisions(LocalState& state, std::size_t limit);

/// One row, with its lock looked at.
Result<RunRow> RowOf(LocalState& state, const storage::Run& run);

/// The JSON that a run keeps for lists: {"command", "workspace"?, "exitCode"?, "endedAt"?, "termination"?, "options"?}.
struct RunSummary {
  std::string command;
  std::string workspace;  ///< host directory; not part of the evidence, because it says nothing about the run
  std::optional<int> exit_code;
  std::string ended_at, termination;
  std::vector<std::string> options;  ///< of `writ run`, to repeat it (repeat_command.h); no evidence either
};
std::string EncodeSummary(const RunSummary& summary);
/// A summary that cannot be read is an empty one: it is a convenience, not evidence.
RunSummary DecodeSummary(std::string_view text);

}  // namespace writ::api
