#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "sys/unique_fd.h"
#include "workspace/blobs.h"
#include "workspace/changes.h"

namespace writ::workspace {

enum class Flagged : std::uint8_t {
  kHoldBack,  ///< changes with a `danger` are left out and listed
  kApply
};

struct ApplyOptions {
  bool dry_run = false;  ///< checks and reports, changes nothing
  bool force = false;    ///< writes over what was changed meanwhile
  Flagged flagged = Flagged::kHoldBack;
};

struct ApplyReport {
  bool refused = false;             ///< nothing was changed because of `conflicts`
  std::vector<Skipped> conflicts;   ///< paths that no longer are what the changes were made from; with `force` and
                                    ///< not refused: what was overwritten all the same
  std::vector<std::string> applied; ///< in the order of doing; with `dry_run`: what would be done
  std::vector<std::string> already; ///< had the new state before
  std::vector<Skipped> held_back;   ///< dangerous changes, and parts that cannot be applied (reason)
  std::vector<Skipped> warnings;    ///< applied, but: a hard link broken, an owner that could not be kept
  std::string stopped;              ///< empty, or the error after which the rest was not done; running again goes on
};

/// Brings changes into the directory they were made from. Nothing is changed if any path no longer has its recorded
/// original (content, type; a path that should be new exists), unless `force`; but even then not if a directory that has
/// to go holds files the run did not know, or a path leads through a link or mount. All new files are staged first in a
/// directory of their own below `root` (hash checked, fsync), then renamed into place one by one; deletions come
/// last. Every path is resolved beneath `root` without links and mounts. Set-id bits are never applied. An owner is
/// kept where the caller may. Applying again is harmless: what has the new state is left alone.
/// Errors: kInvalid for an incomplete change set without `force`; staging errors, when nothing has been changed yet.
Result<ApplyReport> Apply(const ChangeSet& changes, const sys::UniqueFd& root, BlobSource& blobs,
                          const ApplyOptions& options);

}  // namespace writ::workspace
