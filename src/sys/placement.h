#pragma once

#include <sched.h>
#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

namespace writ::sys {

/// Which processors a process may use. Where a machine has exactly two, a child that was just forked is better started on
/// the one its parent does not occupy: a kernel that leaves it beside its parent (virtual machines whose idle processors
/// count as preempted) runs the two one after the other. With more processors the choice is left to the kernel, which sees
/// which of them is idle. Only a hint: nothing fails without it.
class Processors {
 public:
  /// Those of the calling thread, to be given back by GiveBack.
  static Processors Own();

  /// Moves `child`, made by this thread and not running yet, to the other processor of two, unless more than `running_max`
  /// threads of this machine are running now, the caller and the child included. There it takes no time from who runs
  /// already (SCHED_BATCH). The child calls GiveBack itself after it has heard from its parent, so that the order of the two
  /// is certain.
  void StartOnOther(pid_t child, unsigned running_max) const;

  /// Keeps `child`, as above, on the processor of the calling thread, which is about to wait: the kernel may else put it
  /// behind a thread that works on the other one. As above, the child calls GiveBack.
  void StartHere(pid_t child) const;

  /// The calling thread may use all of them again, and preempts others as it did.
  void GiveBack() const;

  /// For a child that executes another program before it can give back: Text travels to it, FromText reads it there. A text
  /// that is none gives nothing back.
  std::string Text() const;
  static Processors FromText(std::string_view text);

 private:
  std::optional<cpu_set_t> two_;  ///< nothing where there are not exactly two
  bool preempts_ = false;         ///< SCHED_OTHER
};

/// How many threads the text of /proc/loadavg says are running. Nothing for a text that is none. Source: proc(5).
std::optional<unsigned> RunningThreads(std::string_view loadavg);

}  // namespace writ::sys
