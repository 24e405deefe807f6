#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "sys/unique_fd.h"
#include "workspace/manifest.h"

namespace writ::workspace {

/// A file or directory a run gets at /in/NAME.
struct InputRequest {
  std::string path;
  std::string name;  ///< one component, without control characters, at most 255 bytes
  bool executable = false;  ///< a file is staged executable whatever its own mode says
};
/// Reads `PATH[:NAME]`; what follows the last colon is a name if it holds no slash. Without one the last component
/// of PATH is the name. Errors: kInvalid, saying what a name may be.
Result<InputRequest> ParseInput(std::string_view argument);

/// An input as it was staged. What is in the staging directory is exactly what was hashed.
struct StagedInput {
  std::string name;
  EntryType type = EntryType::kFile;  ///< kFile or kDirectory
  std::string sha256;                 ///< of the content; for a directory DigestOf its manifest
  std::uint64_t bytes = 0;            ///< sum over files
  bool executable = false;            ///< files only
  Manifest files;                     ///< directories only
};

struct InputLimits {
  std::size_t entries_max = 100'000;       ///< all inputs together
  std::uint64_t bytes_max = 16ull << 30;   ///< all inputs together
};

/// Copies inputs into the empty directory `staging` as NAME, hashing while copying: files 0444 (0555 if executable),
/// directories 0555. The given path itself may be a link; links inside a directory are copied as links. Special
/// files are refused, and so is a file that changes while it is copied.
/// Errors: kInvalid for two inputs of one name and for special files; kNotFound; kExhausted over a bound;
///         kUnavailable for a file that changes. Staged files stay on error: remove the directory.
Result<std::vector<StagedInput>> StageInputs(const std::vector<InputRequest>& requests, const sys::UniqueFd& staging,
                                             const InputLimits& limits = {});

}  // namespace writ::workspace
