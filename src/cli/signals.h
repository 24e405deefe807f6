#pragma once

#include <atomic>

#include "api/run_control.h"

namespace writ::cli {

/// While it lives, SIGINT, SIGTERM, SIGHUP and SIGQUIT cancel the run instead of ending the program, so that it ends
/// with a receipt and nothing is left behind however often they come; SIGWINCH passes the terminal's new size on;
/// SIGPIPE is ignored, write(2) tells. Destruction restores what was there before. At most one at a time, made after
/// the backends: ignored signals would be inherited by the programs they start.
class SignalScope {
 public:
  /// `control` is borrowed. `terminal_fd`: whose size SIGWINCH reads; -1 for none.
  SignalScope(api::RunControl& control, int terminal_fd);
  ~SignalScope();
  SignalScope(const SignalScope&) = delete;
  SignalScope& operator=(const SignalScope&) = delete;

  /// The first signal that asked to cancel, 0 for none.
  int received() const;
};

}  // namespace writ::cli
