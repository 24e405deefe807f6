#pragma once

#include <cstdint>
#include <string>

#include "isolation/process/identity.h"
#include "sys/unique_fd.h"

namespace writ::isolation::process {

struct JailOptions {
  std::uint32_t id_base = kIdBaseDefault;
  std::uint32_t warm_cells = 0;   ///< empty cells kept ready
  std::string delegated_cgroup;   ///< v2 directory the caller may use; empty: find one
  bool one_run = false;           ///< end once a cell was made and all have ended, without waiting for the client
};

/// The privileged helper: serves `client` until it closes (or its one run is over), then ends every cell, removes their
/// control groups and returns the process's exit code. Single-threaded; forks one PID 1 per cell. Descriptors 0-2 must be open.
int RunJail(sys::UniqueFd client, const JailOptions& options);

}  // namespace writ::isolation::process
