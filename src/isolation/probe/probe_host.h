#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/error.h"
#include "isolation/probe/host_report.h"

namespace writ::isolation {

struct ProbeOptions {
  /// Directories whose file systems are asked for idmapped mounts (root only): the state directory, say.
  std::vector<std::string> idmap_directories{};
  /// Each probe runs in a child of its own that is killed when this has passed.
  Millis deadline_each{5000};
  /// Puts process `pid` into a delegated cgroup v2 scope and returns that cgroup's directory. Used for
  /// "cgroup2.scope" when the caller is not root; empty: the probe is not made. The layer above joins this with
  /// process/systemd_scope.h. Runs in a forked child.
  std::function<Result<std::string>(pid_t pid, Deadline deadline)> delegate_scope{};
};

/// Tries everything, each in a forked child, all at the same time, and leaves nothing behind: no process, mount,
/// namespace, cgroup or file. A probe that crashes, hangs or cannot be started is reported as missing with that
/// reason. May be called in a process that has threads; the caller must not have SIGCHLD set to SIG_IGN.
/// Errors: kInternal when not even the bookkeeping works (uname, poll).
Result<HostReport> ProbeHost(const ProbeOptions& options);

}  // namespace writ::isolation
