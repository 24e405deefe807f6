#pragma once

#include <cstdint>
#include <span>

#include "base/error.h"
#include "isolation/backend.h"
#include "sys/unique_fd.h"

namespace writ::isolation::process {

/// What a cell's private root is made of. Called by PID 1 inside its own mount, PID and user namespace, before any
/// guest exists.
struct RootPlan {
  sys::UniqueFd custom_root{};  ///< detached mount of another root file system; invalid: the host's system directories
  sys::UniqueFd fixed_root{};   ///< a FixedRoot's copy; invalid: it is built here
  std::uint64_t disk_bytes = 0, inodes = 0;    ///< of all writable places together
  bool whole_range = false;                    ///< id 0 exists inside
};

/// The finished root. The process has pivoted into it; the host's mounts are gone from its namespace.
struct CellRoot {
  sys::UniqueFd scratch;       ///< detached handle on the one writable tmpfs: tmp, work, out, shm, upper, overlay
};

/// Builds /usr (and its siblings, read-only), a generated /etc and /dev, or attaches what the jail has of them (fixed_root.h);
/// then own /proc and terminals, and /tmp /work /out /dev/shm on one
/// tmpfs, then pivots. No host directory outside the system directories is bound. A process forked before that stands in "/" is
/// moved along by the pivot.
/// Errors: the step that failed, with errno; the caller exits.
/// Sources: pivot_root(2), mount_namespaces(7), proc(5).
Result<CellRoot> BuildRoot(RootPlan plan);

/// Whether the tmpfs keeps the attributes that an overlay's upper layer needs. Source: user_namespaces(7), overlayfs.rst.
bool UpperPossible(const CellRoot& root);

/// Changes the size of the writable places. Source: tmpfs(5).
Result<> ResizeScratch(const CellRoot& root, std::uint64_t disk_bytes, std::uint64_t inodes);

/// Writes the files to the writable places and shows them read-only at /run/writ. Errors: kInvalid for a name that is not
/// one component, kExhausted when they do not fit.
Result<> PlaceFiles(const CellRoot& root, std::span<const PlacedFile> files);

/// Shows `lower` (detached mount) copy-on-write at /work.
Result<> MountWorkspaceOverlay(const CellRoot& root, const sys::UniqueFd& lower);
/// Shows `lower` (detached mount) read-only at /in, through an overlay so that its host path is not visible.
Result<> MountInputs(const sys::UniqueFd& lower);
/// The same at isolation::kToolsPlace.
Result<> MountTools(const sys::UniqueFd& lower);

}  // namespace writ::isolation::process
