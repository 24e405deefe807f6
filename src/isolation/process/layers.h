#pragma once

#include <string>

#include "base/error.h"
#include "isolation/process/identity.h"
#include "sys/unique_fd.h"

namespace writ::isolation::process {

/// A host directory ready to be attached inside a cell.
struct PreparedLayer {
  sys::UniqueFd mount;   ///< detached, read-only
  bool copied = false;   ///< the file system cannot map ids, so the mount is a copy on a tmpfs
};

/// Opens `path` again in this process's own mount namespace and makes sure that it is the directory that the caller
/// opened as `fd` (same device and inode): a mount made from a descriptor of another namespace is refused by the
/// kernel, and a path alone could have been exchanged meanwhile.
/// Errors: kDenied when it is another directory now; kNotFound.
Result<sys::UniqueFd> OpenSameDirectory(const std::string& path, const sys::UniqueFd& fd);

/// The workspace: its owner becomes the guest inside. With ranges of its own the mount's ids are mapped where the file
/// system can, else the tree is copied up to `copy_bytes_max`.
Result<PreparedLayer> PrepareWorkspace(const sys::UniqueFd& directory, const CellIds& ids, std::uint64_t copy_bytes_max,
                                       std::uint64_t copy_inodes_max);
/// Another root file system: ids 0..65535 of the disk are the ids inside, where the file system can map them; else
/// files of others stay readable as far as their mode lets everybody read.
/// `userns`: user namespace of a process with the cell's map, or an invalid descriptor when rootless.
Result<PreparedLayer> PrepareRoot(const sys::UniqueFd& directory, const CellIds& ids);
/// Staged inputs, and tools: readable by everybody as far as their modes let everybody, no mapping.
Result<PreparedLayer> PrepareInputs(const sys::UniqueFd& directory);

}  // namespace writ::isolation::process
