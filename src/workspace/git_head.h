#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "sys/unique_fd.h"

namespace writ::workspace {

/// The commit a working tree is based on: 40 or 64 lower-case hex digits. Absent when the directory is no git
/// working tree, has no commit yet, or keeps its repository elsewhere (a `.git` file of a worktree or submodule):
/// nothing outside `root` is read, and git is not run, because a repository's configuration can run programs.
/// Errors: kCorrupt for a HEAD or reference that git would not accept either.
/// Source: gitrepository-layout(5), git-pack-refs(1).
Result<std::optional<std::string>> ReadGitHead(const sys::UniqueFd& root);

/// What HEAD or a loose reference says.
struct GitReference {
  std::string commit;    ///< set for a commit
  std::string symbolic;  ///< set for "ref: NAME"; a safe relative path below refs/
};
Result<GitReference> ParseGitReference(std::string_view text);
/// The commit of `name` in the text of a packed-refs file.
std::optional<std::string> FindPackedReference(std::string_view packed_refs, std::string_view name);

}  // namespace writ::workspace
