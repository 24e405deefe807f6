#pragma once

#include "api/local_plane.h"
#include "api/local_state.h"

namespace writ::api {

/// LocalPlane::DryRun. Opens no store and makes nothing.
Result<Preview> PreviewRun(LocalState& state, const CreateRun& request);

/// LocalPlane::Run. Precondition: `state` is open for writing.
Result<RunResult> RunOne(LocalState& state, CreateRun request, isolation::OutputSink& sink, RunControl& control);

/// Directories and files of a run inside the state directory besides its lock.
inline constexpr std::string_view kStagingDirectory = "staging";
inline constexpr std::string_view kRunsDirectory = "runs";
inline std::string LiveLogName(std::string_view run_id) { return std::string(run_id) + ".log"; }
inline std::string KillFlagName(std::string_view run_id) { return std::string(run_id) + ".kill"; }

}  // namespace writ::api
