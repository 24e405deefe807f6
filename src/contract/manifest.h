#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "canon/json.h"

namespace writ::contract {

struct UntrackedFile {
  std::string path;        ///< below the workspace
  std::string hash;        ///< SHA-256 of the content
  std::uint64_t bytes = 0;
  bool operator==(const UntrackedFile&) const = default;
};

/// What a run is given to work on: a git commit as a bundle, a diff on top, further files.
struct WorkspaceManifest {
  std::string base_ref;                        ///< commit; kNoBaseRef without git
  std::string bundle_hash;                     ///< of the git bundle; kHashOfNothing without git
  std::optional<std::string> dirty_diff_hash;
  std::vector<UntrackedFile> untracked_files;  ///< at most 100000
  std::vector<std::string> denied_patterns;    ///< at most 10000 of at most 512 characters
  std::vector<std::string> denied_paths;       ///< at most 100000
  bool operator==(const WorkspaceManifest&) const = default;
};

inline constexpr std::string_view kNoBaseRef = "none";
inline constexpr std::string_view kHashOfNothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// A manifest without git and without files.
WorkspaceManifest EmptyManifest();

canon::Json ToJson(const WorkspaceManifest& manifest);
/// Checks bounds, hashes and the syntax of paths. Errors: kInvalid naming the member.
Result<WorkspaceManifest> DecodeManifest(const canon::Json& json, std::string_view path = "workspace");

}  // namespace writ::contract
