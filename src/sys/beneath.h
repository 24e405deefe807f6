#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/error.h"
#include "sys/tree.h"
#include "sys/unique_fd.h"

/// Calls on paths that must stay below a directory whatever links or mounts somebody put into it. All of them use
/// openat2 with RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV for the directories
/// of the path. Source: openat2(2). Paths are relative: components separated by single slashes, none of them empty,
/// "." or ".."; anything else is kInvalid. A link in the path is kInvalid (ELOOP), a mount point kDenied (EXDEV).
namespace writ::sys {

/// Whether `path` has the form named above and at most 4095 bytes.
bool IsPlainRelativePath(std::string_view path);

/// Opens `path` below `directory`; O_CLOEXEC, O_NOFOLLOW and O_NOCTTY are added. `mode` counts only with O_CREAT.
Result<UniqueFd> OpenBeneath(const UniqueFd& directory, std::string_view path, int flags, std::uint32_t mode = 0);

/// The directory that holds the last component of a path, and that component.
struct ParentAndName {
  UniqueFd parent;
  std::string name;
};
Result<ParentAndName> OpenParentBeneath(const UniqueFd& directory, std::string_view path);

/// What is at `path`, the link itself if it is one. Errors: kNotFound, also when a parent is missing or no directory.
Result<FileMeta> StatBeneath(const UniqueFd& directory, std::string_view path);
/// Target of the symbolic link at `path`. Errors: kInvalid when it is none.
Result<std::string> ReadLinkBeneath(const UniqueFd& directory, std::string_view path);
/// Reads a regular file. Errors: kInvalid when it is none; kExhausted over `bytes_max`.
Result<std::string> ReadFileBeneath(const UniqueFd& directory, std::string_view path, std::size_t bytes_max);

/// Makes `path` and its missing parents with exactly `mode`. Existing directories are left alone.
Result<> MakeDirectoriesBeneath(const UniqueFd& directory, std::string_view path, std::uint32_t mode);

}  // namespace writ::sys
