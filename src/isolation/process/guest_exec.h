#pragma once

#include <linux/filter.h>
#include <sys/types.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "isolation/backend.h"

namespace writ::isolation::process {

/// What the guest's first process becomes. Everything is prepared before the fork: between fork and exec no memory is
/// allocated, because parent and child share it.
struct GuestExec {
  std::vector<const char*> argv, env;      ///< null-terminated
  std::vector<std::string> candidates;     ///< paths to try in order: argv[0], or each PATH entry with it
  const char* cwd = "/";
  int stdin_fd = -1, stdout_fd = -1, stderr_fd = -1;
  int terminal_fd = -1;                    ///< slave side of a pseudo-terminal; becomes 0, 1, 2 and the controlling one
  bool whole_range = false;                ///< id 0 exists inside: switch to kGuestId
  std::uint32_t open_files = 0;
  std::uint64_t address_space_bytes = 0;   ///< RLIMIT_AS where the contract accepts memory=rlimit; 0: not set
  std::uint64_t cpu_seconds = 0;           ///< RLIMIT_CPU where the contract accepts cpu-time=rlimit; 0: not set
  std::uint32_t processes = 0;             ///< RLIMIT_NPROC where the contract accepts pids=rlimit; 0: not set
  std::uint32_t cpu_count = 0;             ///< pin to that many cpus where the contract accepts cpus=affinity; 0: not
  int landlock_fd = -1;
  std::span<const sock_filter> filter;
};

struct Spawned {
  pid_t pid = -1;
  int exec_errno = 0;         ///< not 0: no candidate could be executed; the process is gone already
  const char* step = nullptr; ///< not null: a confinement step failed with exec_errno; nothing of the guest ran
};

/// Fills candidates as a shell would: a name with a slash is itself, others are looked up in the PATH of `env`.
std::vector<std::string> LookUp(const std::string& name, const std::vector<std::string>& env);

/// Forks, confines and executes. Returns when the program runs or has failed to.
/// Errors: fork failed (limits of PID 1's own).
Result<Spawned> SpawnGuest(const GuestExec& exec);

}  // namespace writ::isolation::process
