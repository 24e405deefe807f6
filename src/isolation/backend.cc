#include "isolation/backend.h"

namespace writ::isolation {

std::string_view TerminationName(Termination how) {
  switch (how) {
    case Termination::kExited: return "exited";
    case Termination::kSignal: return "signal";
    case Termination::kTimeLimit: return "time_limit";
    case Termination::kCpuLimit: return "cpu_limit";
    case Termination::kMemoryLimit: return "memory_limit";
    case Termination::kOutputLimit: return "output_limit";
    case Termination::kDiskLimit: return "disk_limit";
    case Termination::kEgressBudget: return "egress_budget";
    case Termination::kCancelled: return "cancelled";
    case Termination::kInterrupted: return "interrupted";
    case Termination::kNotStarted: return "not_started";
  }
  return "interrupted";
}

}  // namespace writ::isolation
