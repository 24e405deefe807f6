#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "sys/tree.h"
#include "workspace/blobs.h"
#include "workspace/manifest.h"

namespace writ::workspace {

/// A result a run is expected to leave under /out.
struct DeclaredOutput {
  std::string name;       ///< "result.txt", "report/html"; a file or a directory
  bool optional = false;  ///< written as `NAME?`
  bool operator==(const DeclaredOutput&) const = default;
};
/// Reads `NAME` or `NAME?`. Errors: kInvalid, saying what a name may be.
Result<DeclaredOutput> ParseOutput(std::string_view argument);
/// Errors: kInvalid for two outputs of one name, one inside another, or more than 1000.
Result<> CheckOutputs(const std::vector<DeclaredOutput>& declared);

/// A declared output that was there.
struct CollectedOutput {
  std::string name;
  EntryType type = EntryType::kFile;  ///< kFile or kDirectory
  std::string sha256;                 ///< of the content; for a directory DigestOf its manifest
  std::uint64_t bytes = 0;            ///< sum over files
  std::uint32_t mode = 0;
  Manifest files;                     ///< directories only; contents are in the sink by their hashes
};

struct Collection {
  std::vector<CollectedOutput> outputs;  ///< in the order they were declared
  std::vector<Skipped> missing;          ///< declared, not optional, and absent or refused (why)
  std::vector<Skipped> refused;          ///< links, special files and unreadable entries inside declared outputs
  std::vector<std::string> undeclared;   ///< sorted, the first `undeclared_max`; a directory counts as one
  std::size_t undeclared_count = 0;
};

struct CollectLimits {
  std::size_t entries_max = 100'000;      ///< entries inside declared outputs, together
  std::size_t undeclared_max = 1000;      ///< names listed
  std::uint64_t bytes_max = 16ull << 30;  ///< contents together; a sparse file counts with its whole length
};

/// Takes the declared outputs from the tree of /out, which must be at rest (its last process is dead). Nothing is
/// followed, entered by mount or opened unless it is a plain file or directory.
/// Errors: kInvalid from CheckOutputs; kExhausted over a bound; those of the sink.
Result<Collection> Collect(const sys::UniqueFd& out, sys::TreeOpener& opener,
                           const std::vector<DeclaredOutput>& declared, const CollectLimits& limits, BlobSink& sink);

}  // namespace writ::workspace
