#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "api/run_control.h"
#include "base/deadline.h"
#include "base/error.h"
#include "cli/live_output.h"
#include "cli/plane_link.h"
#include "client/evidence.h"
#include "client/wait.h"

namespace writ::cli {

struct FollowOptions {
  LiveOutput* live = nullptr;   ///< gets the run's output as it comes; null: nobody wants it
  Deadline deadline = Deadline::Never();
  bool cancel_on_stop = true;   ///< Ctrl-C ends the run; false: only the waiting
  bool approval_ends = false;
  /// Called on the thread that called, when the status changes.
  std::function<void(const client::RunView&)> changed;
};

/// What a run of a plane came to.
struct Followed {
  client::WaitEnd how = client::WaitEnd::kEnded;
  client::RunView run;
  bool cancelled = false;  ///< Ctrl-C, and the plane was told
  std::string note;        ///< why not all output was passed on; empty: all was
};

/// Waits for a run and passes its output on while it is written. After the end what did not come through live is taken
/// from the blobs that the evidence names: see CompleteOutput.
class RunFollower {
 public:
  /// Both are borrowed. `control` says when to stop.
  RunFollower(PlaneLink& link, api::RunControl& control) : link_(link), control_(control) {}

  /// Errors: those of WaitForRun.
  Result<Followed> Follow(std::string_view run_id, const FollowOptions& options);
  /// Writes the rest of both streams, checked against its hash. Errors: those of `live` and of the blobs.
  Result<> CompleteOutput(const client::Evidence& evidence, LiveOutput& live);

 private:
  PlaneLink& link_;
  api::RunControl& control_;
  std::uint64_t passed_[2] = {0, 0};
};

/// Asks a plane to cancel a run, also a running one. Errors: those of PlaneConnection.
Result<client::Moved> CancelRun(remote::PlaneConnection& plane, std::string_view run_id, bool stop);

}  // namespace writ::cli
