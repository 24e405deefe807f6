#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/error.h"
#include "sys/tree.h"
#include "sys/unique_fd.h"

namespace writ::sys {

/// Opens with O_CLOEXEC and O_NOCTTY added; repeats after a signal. A path that must not lead anywhere else is
/// opened with beneath.h. Errors: from errno, naming the path.
Result<UniqueFd> OpenFile(const std::string& path, int flags, std::uint32_t mode = 0);

/// What fstat says of a descriptor.
Result<FileMeta> MetaOf(int fd);
/// The same from a stat structure.
FileMeta MetaFrom(const struct stat& status);

/// Reads up to `buffer.size()` bytes, repeating after signals and short reads; fewer only at the end of the file.
Result<std::size_t> ReadFull(int fd, std::span<std::uint8_t> buffer);
/// Reads to the end of any descriptor (file, pipe, standard input).
/// Errors: kExhausted when there are more than `bytes_max` bytes.
Result<std::string> ReadAll(int fd, std::size_t bytes_max);
/// Reads a whole regular file. Follows links; a FIFO, device or directory is refused without blocking.
/// Errors: kNotFound, kDenied; kInvalid when it is not a regular file; kExhausted over `bytes_max`.
Result<std::string> ReadFile(const std::string& path, std::size_t bytes_max);

/// Writes everything, repeating after signals and short writes.
Result<> WriteAll(int fd, ByteView bytes);
inline Result<> WriteAll(int fd, std::string_view text) { return WriteAll(fd, AsBytes(text)); }

/// fsync, for files and directories.
Result<> SyncFd(int fd);

/// Whether a replaced file must survive a power cut before the call returns.
enum class Durability : std::uint8_t {
  kDurable,  ///< fsync of the file and of its directory
  kQuick     ///< atomic for other processes, but a power cut may leave the old or an empty file: caches only
};
/// Replaces `path` with `content`: a temporary file in the same directory, fsync, rename, fsync of the directory.
/// Readers see the old or the new content, never a mixture. A link at `path` is replaced, not followed. The mode is
/// exactly `mode`, whatever the umask. On error nothing at `path` has changed and the temporary file is gone.
Result<> WriteFileAtomic(const std::string& path, ByteView content, std::uint32_t mode,
                         Durability durability = Durability::kDurable);
inline Result<> WriteFileAtomic(const std::string& path, std::string_view content, std::uint32_t mode,
                                Durability durability = Durability::kDurable) {
  return WriteFileAtomic(path, AsBytes(content), mode, durability);
}

/// mkdir -p. Directories that are missing get exactly `mode`; existing ones stay as they are (a link to a directory
/// counts as one). Errors: kInvalid when a component is something else.
Result<> MakeDirectories(const std::string& path, std::uint32_t mode);

/// Removes what is at `path` below `directory`, a whole tree if it is one, without following links and without
/// leaving the file system. Missing is success. Iterative: depth is not bounded by the stack.
Result<> RemoveTree(const UniqueFd& directory, std::string_view name);

/// A fresh directory `parent`/`prefix`XXXXXX with mode 0700 that is removed with everything in it on destruction.
class TemporaryDirectory {
 public:
  static Result<TemporaryDirectory> Create(const std::string& parent, std::string_view prefix);
  TemporaryDirectory(TemporaryDirectory&& other) noexcept = default;
  TemporaryDirectory& operator=(TemporaryDirectory&& other) = delete;
  ~TemporaryDirectory();
  const std::string& path() const { return path_; }
  const UniqueFd& fd() const { return fd_; }

 private:
  TemporaryDirectory(UniqueFd parent, std::string name, std::string path, UniqueFd fd)
      : parent_(std::move(parent)), name_(std::move(name)), path_(std::move(path)), fd_(std::move(fd)) {}
  UniqueFd parent_;
  std::string name_;
  std::string path_;
  UniqueFd fd_;
};

}  // namespace writ::sys
