#pragma once

#include <string>
#include <vector>

#include "isolation/process/cgroup.h"
#include "isolation/process/identity.h"
#include "isolation/backend.h"
#include "sys/placement.h"
#include "sys/unique_fd.h"

namespace writ::isolation::process {

/// What the jail gives to a cell's PID 1 by fork.
struct InitSetup {
  sys::UniqueFd control;             ///< first the jail's, later the client's messages
  sys::UniqueFd stub_control;        ///< the jail's messages to the process that becomes the guest
  const CellIds* ids = nullptr;
  const CgroupPlan* cgroups = nullptr;
  sys::UniqueFd custom_root;         ///< detached mount; invalid: the host's system directories
  Limits limits;                     ///< expected; a launch may differ
  std::string groups;                ///< Identity::groups()
  sys::Processors processors;        ///< where the processes of the cell may run
  bool awaited = false;              ///< somebody waits for the cell: its processes spread over the processors
};

/// PID 1 of a cell: waits until its ids are mapped, completes namespaces and root, waits for a launch,
/// starts the guest, reaps, watches the clock, ends every process, reports, and then opens files of the finished guest
/// for the client. Exits when the client closes the socket, which ends whatever still runs in the PID namespace.
[[noreturn]] void RunInit(InitSetup setup);

}  // namespace writ::isolation::process
