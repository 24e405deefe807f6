#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "isolation/backend.h"
#include "sys/unique_fd.h"

namespace writ::isolation::process {

enum class CgroupVersion : std::uint8_t { kV1, kV2 };

/// What a memory limit of a control group amounts to. "cgroup1", "cgroup2": swap is limited too, or there is none to
/// use. Else the guest's memory is limited and what the kernel swaps out is not: "cgroup1-swappiness" (swappiness 0,
/// which discourages swapping), "cgroup2-no-swap-limit".
/// Sources: Linux Documentation/admin-guide/cgroup-v1/memory.rst, 2.4 and 5.3; cgroup-v2.rst, "memory.swap.max".
std::string_view MemoryMechanism(CgroupVersion version, bool swap_is_limited, bool host_has_swap);

/// The control group of one cell, over one v2 directory or several v1 directories. Destruction removes them; the
/// processes inside must be dead by then.
class CellCgroup {
 public:
  CellCgroup() = default;
  CellCgroup(CellCgroup&&) = default;
  CellCgroup& operator=(CellCgroup&& other) noexcept;
  ~CellCgroup();

  /// v2 directory for CLONE_INTO_CGROUP; -1: none.
  int into() const { return into_.get(); }
  /// v1 `tasks` files: the cell's PID 1 writes "0" to each. A single thread that moves itself does not wait for the
  /// kernel's thread group lock, which costs 5 ms and more otherwise (measured; cgroup_procs_write_start).
  const std::vector<sys::UniqueFd>& tasks() const { return tasks_; }

  /// True when this controller ("memory", "pids", "cpu", "cpuacct") holds the cell.
  bool Controls(std::string_view controller) const;

  /// Sets memory (without swap, where the kernel can), pids (one more for PID 1) and cpu. Writes only what differs from
  /// the last call. Returns what is enforced, for example {"memory": "cgroup1"}.
  /// Errors: kUnavailable when the memory limit became weaker than CgroupPlan said, because swap was turned on since.
  Result<Mechanisms> Apply(const Limits& limits);

  /// False once somebody removed a directory of it.
  bool Exists() const;

  /// Readable files that tell use and out-of-memory kills: name as in CellReply::stats, descriptor.
  std::vector<std::pair<std::string, int>> Stats() const;

 private:
  friend class CgroupPlan;
  struct Directory {
    std::string controller;  ///< "memory", "pids", "cpu", "cpuacct"; "" for v2
    std::string path;
    sys::UniqueFd fd;
    CgroupVersion version = CgroupVersion::kV1;
  };
  std::vector<Directory> directories_;
  std::vector<sys::UniqueFd> tasks_;
  sys::UniqueFd into_;
  std::vector<std::pair<std::string, sys::UniqueFd>> stats_;
  std::string promised_memory_;  ///< CgroupPlan::memory_
  Limits applied_;
  bool any_applied_ = false;
};

/// Where the host lets this process make control groups, found once when the jail starts.
/// Sources: cgroups(7), Linux Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/.
class CgroupPlan {
 public:
  /// Reads /proc/self/cgroup and /proc/self/mountinfo. `delegated`: a v2 directory that the caller may use, or empty.
  /// Finding nothing is not an error: Available() then names no controller.
  static CgroupPlan Find(bool as_root, const std::string& delegated);

  /// "cgroup1", "cgroup2" or "" for "memory", "pids", "cpu" and "cpuacct"; for "memory" also as MemoryMechanism says.
  std::string MechanismFor(std::string_view controller) const;
  /// A cell's first process is cloned into its group (version 2), which must exist before; else the process joins.
  bool JoinedAtBirth() const { return MechanismFor("memory") == "cgroup2"; }
  /// Makes the directories of one more cell, or takes those made ahead. Errors: kDenied, kExhausted (too many cgroups).
  Result<CellCgroup> Make();
  /// Makes the directories of the next cell while nobody waits, with these limits set. Errors: as Make and Apply.
  Result<> MakeAhead(const Limits& expected);
  bool made_ahead() const { return ahead_.has_value(); }
  /// Removes the directories made ahead, and empty ones of cells whose jail was killed and could not clean up.
  void Sweep();

 private:
  struct Parent {
    std::string controller, path;
    CgroupVersion version;
  };
  Result<CellCgroup> MakeDirectories();

  std::vector<Parent> parents_;
  std::string memory_;  ///< MemoryMechanism when the plan was made
  std::optional<CellCgroup> ahead_;
  std::uint64_t next_ = 0;
};

}  // namespace writ::isolation::process
