#pragma once

#include <functional>
#include <string_view>

#include "base/deadline.h"
#include "base/error.h"
#include "client/plane_answers.h"
#include "remote/plane_connection.h"

namespace writ::client {

struct WaitOptions {
  Deadline deadline = Deadline::Never();
  /// Asked at least every 250 ms: true ends the waiting.
  std::function<bool()> stop;
  /// Called when the status is another than before, beginning with the first.
  std::function<void(const RunView&)> changed;
  bool approval_ends = false;  ///< return when the run needs approval instead of waiting for somebody to answer
  Millis poll_max{300};        ///< between two questions to a plane that answers at once; the first ones follow quickly
  Millis patience{60'000};     ///< how long a plane may be gone
};

enum class WaitEnd : std::uint8_t { kEnded, kNeedsApproval, kStopped, kDeadline };
struct Waited {
  WaitEnd how = WaitEnd::kEnded;
  RunView run;  ///< as it was last seen
};

/// Waits for a run's end. A plane that cannot be reached, or asks for patience (429), is asked again until `patience` has
/// passed without an answer. Errors: those of PlaneConnection; kNotFound for an unknown run.
Result<Waited> WaitForRun(remote::PlaneConnection& plane, std::string_view run_id, const WaitOptions& options);

/// One look. A plane that can waits up to `wait` for the run's end before it answers. Errors: as WaitForRun.
Result<RunView> LookAt(remote::PlaneConnection& plane, std::string_view run_id, Millis wait = Millis{0});

}  // namespace writ::client
