#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sys/tree.h"
#include "workspace/apply.h"

namespace writ::workspace {

/// One change that is to be made, and what is at its path at the moment of planning.
struct ApplyStep {
  const Change* change = nullptr;     ///< borrowed from the change set
  std::optional<sys::FileMeta> now;   ///< absent: nothing is there
  bool KeepsContent() const;          ///< only the mode is to change
};

struct ApplyPlan {
  std::vector<ApplyStep> steps;  ///< by path
  ApplyReport report;            ///< conflicts, already, held_back, warnings are filled
  bool blocked = false;          ///< some conflict cannot be forced: a path is not reachable, or user files are in it
};

/// Compares the directory with what the changes expect. Changes nothing.
Result<ApplyPlan> PlanApply(const ChangeSet& changes, const sys::UniqueFd& root, const ApplyOptions& options);

}  // namespace writ::workspace
