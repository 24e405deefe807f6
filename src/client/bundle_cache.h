#pragma once

#include <cstdint>
#include <string>

#include "base/deadline.h"
#include "base/error.h"
#include "client/user_git.h"

namespace writ::client {

/// A git bundle of a commit's full history.
struct Bundle {
  std::string path, sha256;
  std::uint64_t bytes = 0;
  bool reused = false;
};

/// Bundles under `directory` by commit, because git may write the same history differently each time, and a runner
/// knows a workspace by its bundle's digest. One that was damaged is made again; the ones used longest ago go when all
/// together exceed `bytes_max`. Safe for several processes.
/// Errors: kInvalid with git's complaint; kExhausted for a bundle over `bundle_bytes_max`; kUnavailable when HEAD moved on
///         while it was bundled.
Result<Bundle> BundleOfHead(const Repository& repository, const std::string& directory, std::uint64_t bundle_bytes_max,
                            std::uint64_t bytes_max, Deadline deadline);

}  // namespace writ::client
