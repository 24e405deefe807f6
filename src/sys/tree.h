#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "sys/unique_fd.h"

namespace writ::sys {

enum class FileType : std::uint8_t { kRegular, kDirectory, kSymlink, kWhiteout, kOther };

/// What a tree walk needs to know of an entry, from one fstat of the descriptor that is used afterwards.
struct FileMeta {
  FileType type = FileType::kOther;
  std::uint32_t mode = 0;  ///< permission bits only (07777)
  std::uint32_t uid = 0, gid = 0;
  std::uint32_t links = 0;
  std::uint64_t bytes = 0;
  std::uint64_t device = 0, inode = 0;
  std::int64_t mtime_ns = 0, ctime_ns = 0;
  bool operator==(const FileMeta&) const = default;
};

/// An opened entry. `fd` is readable for regular files and directories, O_PATH otherwise.
struct TreeEntry {
  FileMeta meta;
  UniqueFd fd;
  std::string link_target;  ///< symlinks only
  bool opaque = false;      ///< directories of an overlay's upper layer that hide everything below them
};

/// Opens the entries of a tree, one path component at a time, never through a link, never onto another mount
/// (openat2 with RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV).
/// The interface exists because a guest's files may be readable only from inside its user namespace: the
/// process tier implements it by asking the cell's PID 1.
class TreeOpener {
 public:
  virtual ~TreeOpener() = default;
  /// Opens `name` (one component, neither "." nor "..") in `directory`.
  /// Errors: kInvalid for a name that is not one component; kNotFound; kDenied.
  virtual Result<TreeEntry> Open(const UniqueFd& directory, std::string_view name) = 0;
  /// What is at `name` without opening it, where that is cheaper; nothing when only Open can tell. Precondition:
  /// `name` comes from ListNames.
  virtual std::optional<FileMeta> Look(const UniqueFd&, const std::string&) { return std::nullopt; }
};

/// Opens with the caller's own rights.
class LocalTreeOpener final : public TreeOpener {
 public:
  Result<TreeEntry> Open(const UniqueFd& directory, std::string_view name) override;
  std::optional<FileMeta> Look(const UniqueFd& directory, const std::string& name) override;
};

/// The body shared by every opener. A character device 0:0 is kWhiteout; the overlay.opaque attribute is read from
/// both trusted. and user. namespaces.
Result<TreeEntry> OpenTreeEntry(int directory, std::string_view name);

/// Names in a directory without "." and "..", sorted by bytes. Reads the descriptor from its start.
/// Errors: kExhausted when there are more than `max_names`.
Result<std::vector<std::string>> ListNames(const UniqueFd& directory, std::size_t max_names);

/// A root to start from: opens `path` itself as a directory (O_RDONLY | O_DIRECTORY | O_CLOEXEC).
Result<UniqueFd> OpenDirectory(const std::string& path);

}  // namespace writ::sys
