#pragma once

#include <sys/types.h>

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "isolation/process/identity.h"
#include "sys/unique_fd.h"

// The part of a cell's root that is the same for every cell: system directories, a generated /etc, device nodes and the
// places of other mounts, all read-only.
namespace writ::isolation::process {

constexpr std::string_view kHosts = "127.0.0.1 localhost\n::1 localhost\n";
constexpr std::string_view kResolver = "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n";

/// Directories on which something is mounted later; `base` is the root itself or the upper layer over a custom root.
Result<> MakeMountPoints(int base);
/// /dev below `root`, without terminals: nodes of the host's, links, and places for `pts` and `shm`.
Result<> MakeDevices(int root);
/// Attaches a detached mount in the caller's mount namespace, over the first of `places` that exists.
Result<> AttachOver(const sys::UniqueFd& mount, std::span<const char* const> places);
/// An empty tmpfs for a root, attached so.
Result<sys::UniqueFd> AttachBase(std::span<const char* const> places);
/// The whole fixed part, attached there. The caller's mount namespace is its own and private.
Result<sys::UniqueFd> BuildFixedRoot(std::span<const char* const> places);

/// A fixed part that the jail builds once and copies for each cell, with ids mapped to the cell's: a copy costs a tenth.
/// All copies are one read-only file system below.
class FixedRoot {
 public:
  /// Builds it in the calling process's mount namespace, over a directory that the jail and guests never look at, and
  /// leaves the working directory at "/". False: it cannot be had here (tried once), and every cell builds its own.
  bool Make();
  bool made() const { return made_; }
  bool wanted() const { return !made_ && possible_; }

  /// A detached copy for a cell whose ids are those of the process `pid`. Invalid: the cell builds its own, because there is
  /// none, the host's files are others than when it was made, or the kernel cannot map ids on a tmpfs (before 6.3).
  sys::UniqueFd CopyFor(pid_t pid, const CellIds& ids);

 private:
  Result<sys::UniqueFd> Copy(pid_t pid, const CellIds& ids) const;
  void Drop();

  /// Tells an entry of the host from one that took its place: all zero where there is none.
  struct Mark {
    std::uint64_t device = 0, inode = 0;
    std::int64_t changed_ns = 0;  ///< not of directories, which change with every entry
    bool operator==(const Mark&) const = default;
  };
  static std::vector<Mark> MarkHostEntries();

  bool possible_ = true, made_ = false;
  std::vector<Mark> shown_;  ///< the host's entries when it was made
};

}  // namespace writ::isolation::process
