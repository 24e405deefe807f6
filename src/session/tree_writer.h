#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "sys/tree.h"
#include "sys/unique_fd.h"
#include "workspace/blobs.h"

namespace writ::session {

/// Writes files of untrusted origin below a directory that nobody else can write: through openat2, never through a
/// link, with modes 0644, 0755 and 0777 for links whatever they were, so that a cell's guest may read them. Counts and
/// bounds what it writes. Paths are plain (sys/beneath.h).
class TreeWriter {
 public:
  struct Limits {
    std::size_t entries_max = 0;
    std::uint64_t bytes_max = 0;
  };
  /// `root` is borrowed.
  TreeWriter(const sys::UniqueFd& root, Limits limits) : root_(root), limits_(limits) {}

  /// Makes a directory; it may exist. Its parent must exist.
  Result<> Directory(const std::string& path);
  /// Makes the directories above `path`. Errors: kInvalid when one of them is a link or no directory.
  Result<> Parents(std::string_view path);
  Result<> Link(const std::string& path, const std::string& target);
  /// Copies a file that must not exist and returns the SHA-256 of its bytes. `mtime_ns` is kept when not 0.
  Result<std::string> File(const std::string& path, const workspace::ContentReader& read, bool executable,
                           std::int64_t mtime_ns = 0);

  std::size_t entries() const { return entries_; }
  std::uint64_t bytes() const { return bytes_; }

 private:
  Result<> Count();
  const sys::UniqueFd& root_;
  const Limits limits_;
  std::size_t entries_ = 0;
  std::uint64_t bytes_ = 0;
};

/// Reads a descriptor from its start to its end.
workspace::ContentReader ReadToEnd(int fd);

}  // namespace writ::session
