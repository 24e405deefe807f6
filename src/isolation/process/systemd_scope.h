#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/error.h"

namespace writ::isolation::process {

/// One delegated cgroup v2 scope of the user's own systemd. It lives as long as a process is in it.
struct ScopeRequest {
  pid_t pid = 0;            ///< goes into the scope; must belong to the caller
  std::string unit{};       ///< "writ-....scope"; see MakeScopeName
  std::string runtime_dir{};  ///< XDG_RUNTIME_DIR of the caller; empty: /run/user/UID
  std::string cgroup_root = "/sys/fs/cgroup";  ///< where the v2 hierarchy is mounted
  std::string proc_root = "/proc";
};

struct Scope {
  std::string directory;                 ///< the cgroup, absolute
  std::vector<std::string> controllers;  ///< of its cgroup.controllers: what was delegated
};

/// A unit name that no other scope has: "writ-" UUID ".scope".
std::string MakeScopeName();

/// Asks org.freedesktop.systemd1 over $XDG_RUNTIME_DIR/systemd/private, else .../bus, for StartTransientUnit with
/// Delegate=yes, and waits until `pid` is in the scope. The process is in the scope's own directory then; see
/// DivideScope.
/// Call before entering a user namespace: the bus asks who the caller is outside of it.
/// Errors: kUnavailable: no bus, no systemd behind it, or it could not start the scope; kDenied: the bus belongs to
///         somebody else or refused, or the scope was not delegated; kCorrupt: the bus does not speak D-Bus;
///         kDeadline; kInvalid for a unit name that is none.
/// Source: org.freedesktop.systemd1(5), systemd.resource-control(5) "Delegate=", D-Bus Specification.
Result<Scope> StartDelegatedScope(const ScopeRequest& request, Deadline deadline);

/// Makes a scope ready for cells: moves `pid`, which must be in the scope, to its child `main` and hands memory, pids
/// and cpu on to further children. Processes that `pid` has already started stay where they are and make it fail.
/// Errors: kUnavailable naming a controller that was not delegated; kDenied or kUnavailable (processes are left in the
///         scope itself) from the kernel.
/// Source: Linux Documentation/admin-guide/cgroup-v2.rst, "No Internal Process Constraint".
Result<> DivideScope(const Scope& scope, pid_t pid);

/// Both steps for `pid`: the directory below which cells can be made. Errors: those of the steps.
Result<std::string> DelegateScope(pid_t pid, Deadline deadline);

}  // namespace writ::isolation::process
