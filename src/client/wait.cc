#include "client/wait.h"

#include <algorithm>

namespace writ::client {
namespace {

constexpr Millis kFirstPause{10};
constexpr Millis kSlice{50};
constexpr Millis kHold{200};  // how long a plane is asked to hold its answer back; `stop` is not asked meanwhile
constexpr Millis kAfterTrouble{500};

/// Whether the plane may answer the same question later.
bool MayPass(const Error& error) { return error.code == Code::kUnavailable || error.code == Code::kExhausted || error.code == Code::kDeadline; }

/// Sleeps in slices; false when `stop` said so.
bool Sleep(remote::PlaneConnection& plane, Millis pause, const std::function<bool()>& stop) {
  const Deadline end = Deadline::After(pause);
  while (!end.Passed()) {
    if (stop && stop()) return false;
    const Millis left{end.PollTimeoutMs()};
    if (!plane.http().Pause(std::min(left, kSlice))) return false;  // cancelled
  }
  return true;
}

}  // namespace

Result<RunView> LookAt(remote::PlaneConnection& plane, std::string_view run_id, Millis wait) {
  if (!IsRunId(run_id)) return Fail(Code::kInvalid, "what was given is no run id");
  const std::string held = wait > Millis{0} ? fmt::format("?waitMs={}", wait.count()) : std::string();
  const auto json = WRIT_TRY("run", plane.Get(fmt::format("/v1/runs/{}{}", run_id, held)));
  return DecodeRunView(json, run_id);
}

Result<Waited> WaitForRun(remote::PlaneConnection& plane, std::string_view run_id, const WaitOptions& options) {
  Waited waited;
  Millis pause = kFirstPause;
  bool first = true, holds = true;  // until the plane has answered sooner than it was asked to
  Deadline patience = Deadline::After(options.patience);
  while (true) {
    if (options.stop && options.stop()) {
      waited.how = WaitEnd::kStopped;
      return waited;
    }
    if (options.deadline.Passed()) {
      waited.how = WaitEnd::kDeadline;
      return waited;
    }
    const Millis hold = first || !holds ? Millis{0} : options.deadline.never() ? kHold : std::min(kHold, Millis{options.deadline.PollTimeoutMs()});
    const auto asked = std::chrono::steady_clock::now();
    auto seen = LookAt(plane, run_id, hold);
    if (seen && hold > Millis{0}) holds = std::chrono::steady_clock::now() - asked >= hold / 2;
    first = false;
    if (seen) {
      patience = Deadline::After(options.patience);
      const bool changed = seen->status != waited.run.status;
      waited.run = *std::move(seen);
      if (changed && options.changed) options.changed(waited.run);
      if (IsEnded(waited.run.status)) return waited;
      if (waited.run.status == "awaiting_approval" && options.approval_ends) {
        waited.how = WaitEnd::kNeedsApproval;
        return waited;
      }
    } else if (!MayPass(seen.error()) || patience.Passed()) {
      return std::unexpected(std::move(seen).error());
    }
    if (seen && holds) continue;
    const Millis next = seen ? pause : std::max(pause, kAfterTrouble);
    if (!Sleep(plane, next, options.stop)) {
      waited.how = WaitEnd::kStopped;
      return waited;
    }
    pause = std::min(pause * 2, options.poll_max);
  }
}

}  // namespace writ::client
