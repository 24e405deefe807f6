#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/deadline.h"
#include "base/error.h"
#include "isolation/backend.h"

namespace writ::session {

/// Bounds of what git may do on a runner. A bundle, a patch or a work tree is made by somebody who is not trusted: it
/// may unpack to far more than it weighs.
struct GitLimits {
  Millis wall_time{std::chrono::minutes{5}};
  Millis cpu_time{std::chrono::minutes{10}};
  std::uint64_t bundle_bytes_max = 2ull << 30;  ///< bundle, patch and untracked files together
  std::uint64_t tree_bytes_max = 4ull << 30;    ///< files of a work tree, its repository included
  std::size_t entries_max = 500'000;            ///< files and directories of it
  std::uint64_t memory_bytes_max = 6ull << 30;  ///< of the cell; its files count as memory
  std::uint64_t diff_bytes_max = 64ull << 20;   ///< of a run's diff
  std::size_t changes_max = 100'000;            ///< paths in it
  /// Weaker mechanisms that will do for git, as SessionSpec::accepted.
  isolation::Mechanisms accepted = {
      {"memory", "rlimit"}, {"pids", "rlimit"}, {"cpus", "affinity"}, {"cpu-time", "rlimit"}, {"groups", "kept"}};
};

/// A shell script around git for one cell. The directories are borrowed until RunGit returned and its session ended.
struct GitJob {
  std::string script;  ///< for /bin/sh; `$1`, `$2`, ... are `args`; `fail N` ends it with N, or as a full disk
  std::vector<std::string> args;
  std::string workspace;  ///< absolute host directory, shown copy-on-write at /work; empty: /work is empty
  std::string inputs;     ///< absolute host directory, shown read-only at /in; empty: none
  std::uint64_t stdout_bytes_max = 1u << 20;
};

/// What a script left. The tree of the cell is there until this is destroyed.
class GitRun {
 public:
  int code = 0;          ///< exit code of the script
  std::string out, err;  ///< `err` is cut at 64 KiB
  Result<isolation::GuestTree> Tree(isolation::Place place) { return session_->Tree(place); }

 private:
  friend Result<GitRun> RunGit(GitJob, const GitLimits&, isolation::Backend&, Deadline);
  std::unique_ptr<isolation::OutputSink> sink_;  ///< outlives the session
  std::unique_ptr<isolation::Session> session_;
};

/// Runs git in a cell without network, with nobody's configuration: no hooks, filters, file system monitor, attributes
/// or excludes from outside the work tree, credential helpers, submodules; no protocol but reading a bundle file.
/// Errors: kUnavailable when the cell or git cannot start; kExhausted when a limit ended it, or its disk was full,
///         naming it; kDeadline. An exit code is no error here.
/// Source: git(1) environment variables, git-config(1).
Result<GitRun> RunGit(GitJob job, const GitLimits& limits, isolation::Backend& backend, Deadline deadline);

/// The first lines of git's complaint for an error text, at most 500 characters, escaped to one line.
std::string GitComplaint(const GitRun& run);

}  // namespace writ::session
