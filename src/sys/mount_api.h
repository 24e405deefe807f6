#pragma once

#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "sys/unique_fd.h"

// The file-descriptor based mount interface (Linux 5.2, mount_setattr 5.12). Every call works on descriptors and
// relative paths, so that no step can be redirected by renaming a path meanwhile. Paths are given as C strings.
namespace writ::sys {

/// How a mount is restricted. Source: mount_setattr(2).
struct MountFlags {
  bool read_only = false, no_suid = true, no_dev = true, no_exec = false;
};

/// Clones the mount at `path` below `directory` into a detached mount (open_tree(2) with OPEN_TREE_CLONE).
/// An empty path means `directory` itself. With `recursive` the mounts below come along, which a user namespace
/// demands where they are locked. Links in the last component are not followed.
Result<UniqueFd> CloneMount(int directory, const char* path, bool recursive);

/// Attaches a detached mount at `path` below `directory` (move_mount(2)).
Result<> AttachMount(const UniqueFd& mount, int directory, const char* path);

/// Shows the mount at `from` also at `to`, with the same flags and without the mounts below it, in one system call
/// (mount(2) with MS_BIND). Both are relative to the working directory unless absolute, and links are followed: only for
/// places that nobody else can change yet.
Result<> BindMount(const char* from, const char* to);

/// Restricts a mount, with all mounts below it when `recursive` (mount_setattr(2)).
Result<> RestrictMount(const UniqueFd& mount, MountFlags flags, bool recursive);

/// Shows the files of a detached mount with ids mapped by the user namespace `userns`.
/// Errors: kInvalid where the file system does not support it, kDenied without privilege over it.
Result<> MapMountIds(const UniqueFd& mount, const UniqueFd& userns);

/// A new, detached mount of a file system type with options "a=b,c" (fsopen(2), fsconfig(2), fsmount(2)).
/// On failure the text carries what the kernel said about the option.
Result<UniqueFd> NewMount(const char* type, std::string_view options, MountFlags flags);

/// Changes options "a=b,c" of the file system behind `mount` (fspick(2)). Flags of the mount stay as they are.
Result<> ReconfigureMount(const UniqueFd& mount, std::string_view options);

}  // namespace writ::sys
