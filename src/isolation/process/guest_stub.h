#pragma once

#include <sys/types.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "isolation/backend.h"
#include "sys/unique_fd.h"

namespace writ::isolation::process {

/// What a launch still adds to a stub. Descriptors are borrowed.
struct GuestExec {
  int body = -1;                           ///< sealed LaunchBody: argv, environment, working directory
  int stdin_fd = -1, stdout_fd = -1, stderr_fd = -1;
  int terminal_fd = -1;                    ///< slave side of a pseudo-terminal; becomes 0, 1, 2 and the controlling one
  int landlock_fd = -1;
  std::uint32_t open_files = 0;
  std::uint64_t address_space_bytes = 0;   ///< RLIMIT_AS where the contract accepts memory=rlimit; 0: not set
  std::uint64_t cpu_seconds = 0;           ///< RLIMIT_CPU where the contract accepts cpu-time=rlimit; 0: not set
  std::uint32_t processes = 0;             ///< RLIMIT_NPROC where the contract accepts pids=rlimit; 0: not set
  std::uint32_t cpu_count = 0;             ///< pin to that many cpus where the contract accepts cpus=affinity; 0: not
};

/// The process that will become the guest. It is forked first of all, makes the cell's network and IPC namespaces (0.4 ms)
/// while PID 1 builds the root on another processor, joins the control group, gives up every privilege, installs the system
/// call filter (0.15 ms) and waits for what to execute.
class GuestStub {
 public:
  /// `jail`: where the files of its control group come from, borrowed; `switch_ids`: id 0 exists inside, become kGuestId.
  /// Errors: kExhausted when no process can be made.
  static Result<GuestStub> Fork(const sys::UniqueFd& jail, bool switch_ids);
  pid_t pid() const { return pid_; }
  /// Waits for its network and IPC namespaces, and brings the caller into them.
  Result<> JoinNamespaces();

  struct Executed {
    int exec_errno = 0;  ///< not 0: no program could be executed; the process is ending
  };
  /// Makes it execute once it is confined. Precondition: JoinNamespaces. Errors: it could not be confined, or a step before
  /// the execution failed; nothing of the guest ran.
  Result<Executed> Exec(const GuestExec& exec);

 private:
  GuestStub(pid_t pid, sys::UniqueFd socket) : pid_(pid), socket_(std::move(socket)) {}
  pid_t pid_;
  sys::UniqueFd socket_;
};

/// Paths to try for a command, as a shell finds it: a name with a slash is itself, others are looked up in the PATH of
/// `env`, where an empty entry is the working directory.
std::vector<std::string> LookUp(const std::string& name, const std::vector<std::string>& env);

}  // namespace writ::isolation::process
