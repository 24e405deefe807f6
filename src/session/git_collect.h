#pragma once

#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/error.h"
#include "isolation/backend.h"
#include "session/checkout_cache.h"
#include "session/git_cell.h"
#include "workspace/manifest.h"

namespace writ::session {

/// A run's diff against the commit its workspace is based on.
struct GitDiff {
  struct Changed {
    std::string path;    ///< the true name, not git's quoted one
    std::string sha256;  ///< of the file's bytes, or of a link's target; 64 zeros when it is gone
    bool operator==(const Changed&) const = default;
  };
  std::string diff;                         ///< `git diff --binary --cached`; empty: nothing differs
  std::vector<Changed> changed;             ///< in git's order
  std::vector<workspace::Skipped> flagged;  ///< what may be executed by whoever uses the result, or what the run did
                                            ///< to its repository; a reason each
  std::vector<workspace::Skipped> skipped;  ///< sockets, devices, FIFOs: git knows none
  std::string complaints;                   ///< what git refused to take, escaped; empty: nothing
  bool ran_git = false;
};

/// Compares what a run left with the commit: `git add -A` and `git diff --cached` of what the run sees, with the ignore
/// rules of its work tree. The repository that is compared with is the checkout's own, in a second cell; that of the
/// run is not read. Commits made in the run are therefore included as changes, what it hid by its index or its excludes
/// too. When the run changed nothing, no cell is started: the diff is empty, or the one remembered for the local
/// changes. `tree` is Place::kWorkspace of a dead guest; null: nothing was started.
/// Errors: kExhausted when there are more changes than `limits` allow; those of RunGit; kCorrupt from git.
Result<GitDiff> CollectGit(const Checkout& checkout, const isolation::GuestTree* tree, isolation::Backend& backend,
                           const GitLimits& limits, Deadline deadline);

}  // namespace writ::session
