#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "sys/tree.h"
#include "workspace/hash_cache.h"
#include "workspace/patterns.h"

namespace writ::workspace {

enum class EntryType : std::uint8_t { kFile, kDirectory, kSymlink };
std::string_view EntryTypeName(EntryType type);  ///< "file", "directory", "symlink"

/// What is known of one path.
struct FileState {
  EntryType type = EntryType::kFile;
  std::uint32_t mode = 0;     ///< permission bits (07777); 0777 for links
  std::uint32_t links = 1;    ///< hard links; above 1 the content can change through another name
  std::uint64_t bytes = 0;    ///< content of a file, target of a link, 0 for a directory
  std::string sha256;         ///< files: lower-case hex of the content; empty when it was not read
  std::string target;         ///< links
  bool operator==(const FileState&) const = default;
};
inline bool IsDirectory(const std::optional<FileState>& state) { return state && state->type == EntryType::kDirectory; }

struct Entry {
  std::string path;  ///< relative, components joined by '/', any bytes but NUL
  FileState state;
  bool operator==(const Entry&) const = default;
};

/// A path that is there but not part of the manifest.
struct Skipped {
  std::string path;
  std::string reason;  ///< "FIFO", "socket", "device", "another file system is mounted here", ...
  bool operator==(const Skipped&) const = default;
};

/// A directory as it was at one moment.
struct Manifest {
  std::vector<Entry> entries;        ///< sorted by the bytes of the path
  std::vector<Skipped> skipped;      ///< sorted by path
  std::vector<std::string> denied;   ///< sorted: paths a deny pattern matches
  bool denied_kept_out = false;      ///< true: `denied` are not among `entries`, and the run must not see them
  std::uint64_t bytes = 0;           ///< sum over files
  std::size_t hashed = 0;            ///< files that were read; the others were answered by the cache
  const Entry* Find(std::string_view path) const;
};

struct CaptureOptions {
  std::size_t entries_max = 100'000;
  std::uint64_t bytes_max = 256ull << 30;
  /// Paths that match are listed as `denied`; also left out of `entries` when `keep_out_denied`. An overlay shows
  /// the whole directory, so whoever sets it must put whiteouts for them in front of the run.
  PatternList deny;
  bool keep_out_denied = false;
  HashCache* cache = nullptr;        ///< borrowed; none: every file is read
};

/// Lists and hashes everything below `root`. Links are listed, not followed; mounts are not entered.
/// A file that changes while it is read is read again, three times at most.
/// Errors: kExhausted over a bound, naming it; kUnavailable for a file that never stands still.
Result<Manifest> Capture(const sys::UniqueFd& root, sys::TreeOpener& opener, const CaptureOptions& options,
                         const Clock& clock);

/// SHA-256 over all entries, independent of the host: what stands for a whole directory in contracts and receipts.
/// Per entry, in order: `TYPE SP MODE SP BYTES SP SHA256 NUL PATH NUL TARGET NUL`, MODE in octal, SHA256 "-" and
/// TARGET empty where there is none. Skipped and denied paths are not part of it.
std::string DigestOf(const Manifest& manifest);

/// Paths that differ between two captures of one directory, sorted, at most `paths_max`; used at the end of a run
/// to see whether the lower layer of its view stood still.
struct Drift {
  std::vector<std::string> paths;
  bool more = false;  ///< there are more than `paths_max`
};
Drift ChangedBetween(const Manifest& before, const Manifest& after, std::size_t paths_max = 1000);

}  // namespace writ::workspace
