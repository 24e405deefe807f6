#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "sys/tree.h"
#include "workspace/blobs.h"
#include "workspace/manifest.h"

namespace writ::workspace {

enum class ChangeKind : std::uint8_t { kAdded, kModified, kDeleted };
std::string_view ChangeKindName(ChangeKind kind);  ///< "added", "modified", "deleted"

/// One path that a run left different. A rename is a deletion and an addition.
struct Change {
  std::string path;
  ChangeKind kind = ChangeKind::kAdded;
  std::optional<FileState> before;  ///< absent when added, or when the manifest does not know the original
  std::optional<FileState> after;   ///< absent when deleted; a file's `sha256` is empty when it was over a bound
  std::string danger;               ///< why the user's own tools may execute this (danger.h); empty: nothing known
  std::string note;                 ///< anything else a reader should know
};

/// Everything a run changed.
struct ChangeSet {
  std::vector<Change> changes;   ///< sorted by the bytes of the path
  std::vector<Skipped> skipped;  ///< special files and unreadable entries the run left; sorted
  std::string incomplete;        ///< empty, or which bound cut the list: "more than 100000 changes"
};

struct ChangeOptions {
  std::size_t entries_max = 1'000'000;       ///< entries looked at
  std::size_t changes_max = 100'000;
  std::uint64_t file_bytes_max = 4ull << 30; ///< larger files are listed without content
  std::uint64_t bytes_max = 16ull << 30;     ///< contents together; a sparse file counts with its whole length
};

/// Compares what a run left with what it was given. `tree` must be at rest (its last process is dead).
/// `complete`: names that are absent were deleted; otherwise `tree` is the upper layer of an overlay: absence means
/// unchanged, a whiteout deletes, an opaque directory deletes what it does not hold. The overlay must have been
/// mounted with redirect_dir=off and metacopy=off. New contents go to `sink`; that of a file whose mode alone changed
/// does not. Paths that were kept out of the run
/// (`before.denied_kept_out`) do not count as deleted.
/// Bounds do not fail: the result is cut and says so in `incomplete`.
/// Errors: those of reading the root and of the sink.
Result<ChangeSet> FindChanges(const Manifest& before, const sys::UniqueFd& tree, sys::TreeOpener& opener,
                              bool complete, const ChangeOptions& options, BlobSink& sink);

}  // namespace writ::workspace
