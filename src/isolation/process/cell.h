#pragma once

#include <functional>

#include "isolation/process/cgroup.h"
#include "isolation/process/fixed_root.h"
#include "isolation/process/identity.h"
#include "isolation/process/layers.h"
#include "sys/unique_fd.h"

namespace writ::isolation::process {

/// A prepared, empty sandbox as the jail sees it: its PID 1 is building its root or waits for a launch. Destruction
/// kills PID 1 (and with it every process inside), reaps it and removes the control groups.
class Cell {
 public:
  /// Makes another root file system for a cell with these ids; empty: the host's system directories.
  using RootMaker = std::function<Result<PreparedLayer>(const CellIds&)>;

  /// Whether somebody waits for the cell. Then its PID 1 starts on a processor that is free, beside the jail; a cell made
  /// ahead leaves that one to the client, who works meanwhile.
  enum class Need { kAhead, kNow };

  /// Forks PID 1 into new namespaces and maps its ids.
  /// Errors: kExhausted (ids, processes), kDenied, kUnavailable (a namespace kind is missing).
  /// Source: clone(2) clone3, user_namespaces(7).
  static Result<Cell> Make(const Identity& identity, CgroupPlan& cgroups, FixedRoot& fixed_root, const Limits& expected,
                           const RootMaker& custom_root, Need need);
  Cell(Cell&&) = default;
  Cell& operator=(Cell&& other) noexcept;
  ~Cell();

  const sys::UniqueFd& pidfd() const { return pidfd_; }
  const CellIds& ids() const { return ids_; }
  CellCgroup& cgroup() { return cgroup_; }
  /// The jail's side of the control socket; given to the client with the launch.
  sys::UniqueFd& control() { return control_; }
  void Kill() const;

 private:
  Cell() = default;
  sys::UniqueFd pidfd_, control_;
  CellIds ids_;
  CellCgroup cgroup_;
};

}  // namespace writ::isolation::process
