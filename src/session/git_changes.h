#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "isolation/backend.h"
#include "session/tree_writer.h"
#include "sys/unique_fd.h"
#include "workspace/manifest.h"

namespace writ::session {

/// What a run left in its work tree, its repository aside.
struct GitChanges {
  struct File {
    std::string sha256;  ///< of a file's bytes or a link's target
    std::string danger;  ///< workspace/danger.h
  };
  std::map<std::string, File, std::less<>> files;  ///< files and links as the run left them, by path
  std::set<std::string, std::less<>> gone;         ///< paths that must go first: deleted, or of another kind now
  bool whole = false;                              ///< `files` is everything: what is not in it was deleted
  std::vector<workspace::Skipped> repository;      ///< what the run did to `.git` that can name programs, sorted
  std::vector<workspace::Skipped> skipped;         ///< sockets, devices, FIFOs
  bool nothing() const { return !whole && files.empty() && gone.empty(); }  ///< empty directories are nothing to git
  /// Whether a path of the checkout is no longer there, unless `files` has it.
  bool IsGone(std::string_view path) const;
};

/// Reads the tree of Place::kWorkspace of a guest whose last process is dead, and copies what it left to `into` for git
/// to see. The top-level `.git` is not copied whatever it is by now: a run may have put anything there (hooks,
/// configuration, another repository), and git takes the checkout's own. It is only looked at.
/// Errors: kExhausted over a bound; those of reading.
Result<GitChanges> StageChanges(const isolation::GuestTree& tree, const sys::UniqueFd& into, TreeWriter::Limits limits);

}  // namespace writ::session
