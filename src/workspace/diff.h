#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "sys/unique_fd.h"
#include "workspace/blobs.h"
#include "workspace/changes.h"

namespace writ::workspace {

struct DiffLimits {
  std::uint64_t text_bytes_max = 8ull << 20;     ///< larger files are shown as binary patches
  std::uint64_t binary_bytes_max = 32ull << 20;  ///< larger files are left out with a mark
  std::uint64_t diff_bytes_max = 64ull << 20;    ///< a file that does not fit any more is left out with a mark
};

/// What a patch cannot hold or does not show; each also stands as a `# not shown: ...` line in the text.
struct DiffResult {
  std::vector<Skipped> omitted;
  std::uint64_t bytes = 0;  ///< written
  std::size_t files = 0;    ///< shown
};

using TextSink = std::function<Result<>(std::string_view)>;

/// Writes the changes as a git patch that `git apply --binary` (and `-R`) turns into the same files: text as unified
/// hunks with three lines of context, other files as `GIT binary patch`, links as mode 120000, whole object names
/// (SHA-1) in index lines, names quoted as git does. Left out, because git refuses or cannot express them: paths
/// below a `.git` directory, directories, permission bits other than the executable bit.
/// Originals are read below `originals` and used only if they still have the recorded hash.
/// Memory: eight times `binary_bytes_max` at most. Errors: those of `out` and of blobs that cannot be read.
Result<DiffResult> WriteDiff(const ChangeSet& changes, const sys::UniqueFd& originals, BlobSource& blobs,
                             const DiffLimits& limits, const TextSink& out);

}  // namespace writ::workspace
