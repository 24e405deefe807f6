#include "session/exit_code.h"

namespace writ::session {

using isolation::Termination;

int WireExitCode(const isolation::Outcome& outcome) {
  switch (outcome.how) {
    case Termination::kExited: return outcome.code;
    case Termination::kNotStarted: return 127;
    default: return 1;
  }
}

int ShellExitCode(const isolation::Outcome& outcome, CancelledBy by) {
  switch (outcome.how) {
    case Termination::kExited: return outcome.code;
    case Termination::kSignal: return 128 + outcome.code;
    case Termination::kTimeLimit:
    case Termination::kCpuLimit: return 124;
    case Termination::kMemoryLimit:
    case Termination::kOutputLimit:
    case Termination::kDiskLimit:
    case Termination::kEgressBudget: return 137;
    case Termination::kCancelled: return by == CancelledBy::kKillRequest ? 137 : 130;
    case Termination::kNotStarted: return outcome.code == 126 || outcome.code == 127 ? outcome.code : 125;
    case Termination::kInterrupted: return 125;
  }
  return 125;
}

}  // namespace writ::session
