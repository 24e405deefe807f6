#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/deadline.h"
#include "base/error.h"

namespace writ::client {

/// One call of git.
struct GitCall {
  std::vector<std::string> args;
  std::string input;  ///< standard input
  std::uint64_t out_bytes_max = 64u << 20;
  std::vector<std::pair<std::string, std::string>> env;  ///< added to the environment
};

struct GitAnswer {
  int code = 0;
  std::string out;
  std::string err;  ///< at most 64 KiB
};

/// The user's own git in the user's own working tree: their configuration counts (excludes, line ends, LFS filters),
/// but no hooks, file system monitor, external or textual diff programs, pagers or prompts. The environment is made
/// anew: PATH, HOME, XDG_CONFIG_HOME and USER of this process, nothing else. The caller must be allowed to start
/// programs.
class UserGit {
 public:
  /// `git` is looked up in PATH. `directory` is where it works.
  explicit UserGit(std::string directory) : directory_(std::move(directory)) {}

  /// Runs git to its end. Errors: kUnavailable when it cannot be started; kExhausted when it writes more than asked
  /// for, kDeadline: it was killed then. A failing git is no error here.
  Result<GitAnswer> Run(const GitCall& call, Deadline deadline) const;
  /// The output of a git that must succeed. Errors: also kInvalid with git's complaint.
  Result<std::string> Output(const GitCall& call, Deadline deadline) const;

  const std::string& directory() const { return directory_; }

 private:
  std::string directory_;
};

/// A working tree as it is found.
struct Repository {
  std::string top;   ///< absolute directory of the working tree
  std::string head;  ///< commit id, 40 or 64 hex digits
  bool shallow = false;
};
/// Errors: kNotFound when `directory` is in no working tree, or there is no commit yet.
Result<Repository> FindRepository(const std::string& directory, Deadline deadline);

/// A full commit id: 40 or 64 lower-case hex digits.
bool IsCommitId(std::string_view text);

}  // namespace writ::client
