#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/error.h"
#include "client/submit.h"
#include "contract/manifest.h"
#include "workspace/manifest.h"

namespace writ::client {

/// What becomes of tracked files that a deny pattern matches. The protocol denies untracked files only; what is
/// committed travels in the bundle, whose history has it even after it was deleted.
enum class DenyTracked : std::uint8_t {
  kAllow,  ///< captured, and listed in Captured::tracked_denied
  kRefuse  ///< nothing is captured, also when only an earlier commit has one
};

struct CaptureRequest {
  std::string repository = ".";              ///< a directory in the working tree; all of it is captured
  std::string bundles;                       ///< directory for bundles (client/bundle_cache.h)
  std::vector<std::string> allow_untracked;  ///< patterns (workspace/patterns.h) of untracked files to take along
  std::vector<std::string> deny;             ///< beside the default deny patterns; deny wins
  DenyTracked deny_tracked = DenyTracked::kAllow;
  std::uint64_t blob_bytes_max = kBlobBytesMax;
  std::uint64_t bundles_bytes_max = 1ull << 30;
};

struct Captured {
  contract::WorkspaceManifest manifest;
  std::vector<Upload> uploads;              ///< bundle, dirty diff, untracked files: for UploadAll
  std::string repository;                   ///< top of the working tree
  std::vector<std::string> tracked_denied;  ///< tracked files a deny pattern matches, sorted: worth a warning
  std::vector<workspace::Skipped> skipped;  ///< untracked paths an allow pattern matches that cannot travel, and why
  bool bundle_reused = false;
};

/// Captures a git working tree as `warrant.manifest.v1`: the commit HEAD names with its full history, everything that
/// differs from it in tracked files as a binary diff, and untracked files that git does not ignore, as the patterns
/// say. Nothing in the repository is changed, its hooks and diff programs are not run, links are not followed.
/// Errors: kNotFound outside of a working tree or without a commit; kDenied for tracked denied files, listing them and
///         what to do; kUnavailable for a shallow clone, or when HEAD moves meanwhile; kExhausted over a bound; those
///         of UserGit.
Result<Captured> Capture(const CaptureRequest& request, Deadline deadline);

}  // namespace writ::client
