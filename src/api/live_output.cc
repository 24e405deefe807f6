#include "api/live_output.h"

#include <thread>

#include "api/local_run.h"
#include "api/recover_runs.h"
#include "api/run_queries.h"
#include "session/live_log.h"
#include "storage/run_lock.h"

namespace writ::api {
namespace {

constexpr Millis kPublishEvery{50};  ///< output is published about as often

session::LiveStream StreamOf(std::string_view kind) {
  if (kind == "stdout") return session::kLiveStdout;
  return kind == "stderr" ? session::kLiveStderr : session::kLiveLog;
}

}  // namespace

Result<> CopyStream(LocalState& state, std::string_view run, std::string_view kind, const LocalPlane::Writer& write,
                    LocalPlane::Until until) {
  const std::string id = WRIT_TRY(kind, state.store().ResolveRun(run));
  std::optional<session::LiveLogReader> reader;
  sys::UniqueFd runs;
  for (;;) {
    const storage::Run row = WRIT_TRY(kind, state.store().GetRun(id));
    // What is stored begins with what was published.
    if (row.receipt) return CopyKind(state, id, kind, write, reader ? reader->passed() : 0);
    if (!runs.valid()) runs = WRIT_TRY(kind, state.directory().Subdirectory(kRunsDirectory));
    const bool held = WRIT_TRY(kind, storage::RunLock::IsHeld(state.directory(), id));
    if (!reader) reader = WRIT_TRY(kind, session::LiveLogReader::Open({runs.get(), LiveLogName(id)}));
    if (reader) WRIT_TRY(kind, reader->Read(StreamOf(kind), write));
    if (until == LocalPlane::Until::kNow) return {};
    if (!held) {
      // Ended a moment ago, or its process died; what that left has been read to its end.
      const auto recovered = WRIT_TRY(kind, RecoverRuns(state));
      for (const auto& other : recovered)
        if (other.run_id == id && !other.problem.empty()) return Fail(Code::kCorrupt, "{}", other.problem);
    }
    std::this_thread::sleep_for(kPublishEvery);
  }
}

}  // namespace writ::api
