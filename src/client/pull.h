#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/error.h"
#include "workspace/manifest.h"

namespace writ::client {

/// What is done with changes that the user's own tools may execute (workspace/danger.h).
enum class Dangerous : std::uint8_t {
  kToBranch,  ///< the result goes to a branch, where nothing runs it, instead of into the working tree
  kApply
};

struct PullRequest {
  std::string repository = ".";
  std::string run_id;    ///< "run_..."
  std::string base_ref;  ///< commit the run was based on
  std::string diff;      ///< the run's diff, checked against its hash by the caller
  Dangerous dangerous = Dangerous::kToBranch;
};

/// One path of a run's diff.
struct PulledChange {
  char kind = 'M';  ///< git's letter: A, M, D, T
  std::string path;
  std::string danger;  ///< why the user's own tools may execute this; empty: nothing known
};

/// What a diff would change, from git's own reading of it.
struct PullPlan {
  std::vector<PulledChange> changes;  ///< in git's order
  std::string tree;                   ///< the base with the diff applied, a tree object in the repository
  bool dangerous() const;
};

enum class PullResult : std::uint8_t {
  kEmpty,    ///< the run changed nothing
  kApplied,  ///< into the working tree, uncommitted
  kBranch    ///< committed on a branch of its own; the working tree is as it was
};
std::string_view PullResultName(PullResult result);  ///< "empty", "applied", "branch"

struct Pulled {
  PullResult how = PullResult::kEmpty;
  std::string branch;  ///< kBranch: "warrant/" and 12 characters of the run's id
  std::string commit;  ///< kBranch: parent `base_ref`, author and committer `warrant <warrant@localhost>`
  std::string why;     ///< kBranch: why not into the working tree
  std::vector<PulledChange> changes;
};

/// Reads a diff against its base without touching the working tree, the index or any reference; objects are added to
/// the repository. A link that leads out of the workspace, `.git`, set-id and the like are judged by what git would
/// write.
/// Errors: kInvalid for ids that are none; kNotFound when the repository lacks the base; kCorrupt when the diff does not
///         apply to it; those of UserGit.
Result<PullPlan> PlanPull(const PullRequest& request, Deadline deadline);

/// Brings a run's diff to the user: into the working tree when HEAD is its base and nothing differs from it, else (or
/// when changes are dangerous and that was not asked for) as one commit on the branch `warrant/<12 characters>`.
/// Nothing of the user's is overwritten: a working tree that changed meanwhile makes git refuse as a whole, and a
/// branch of that name is replaced only when all it has is an earlier pull of the same run. No hooks run, no link is
/// followed.
/// Errors: as PlanPull; kDenied when the branch holds something else or is checked out; kUnavailable when the working
///         tree changed meanwhile.
Result<Pulled> Pull(const PullRequest& request, Deadline deadline);

}  // namespace writ::client
