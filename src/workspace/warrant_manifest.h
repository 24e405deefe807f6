#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "canon/json.h"
#include "workspace/manifest.h"

namespace writ::workspace {

/// The `warrant.manifest.v1` of a local directory (docs/formats/evidence.md): `baseRef` is the commit or "none",
/// `bundleHash` the SHA-256 of nothing, every file is in `untrackedFiles`. `deniedPatterns` and `deniedPaths` are
/// filled only when denied paths are really kept out of the run.
canon::Json ToWarrantManifest(const Manifest& manifest, const std::optional<std::string>& base_commit,
                              const PatternList& deny);

/// Checks the path of an untracked file. Errors: kInvalid `workspace path "P" must be a safe relative path`.
Result<> CheckWorkspacePath(std::string_view path);

/// A path as the manifest can hold it. Names that break its syntax or are not UTF-8 are written as `%:` and the
/// path with those bytes and `%` as %XX; so is a name that begins with `%:`. Different paths stay different.
std::string ToWirePath(std::string_view path);
/// Inverse of ToWirePath. Errors: kInvalid for a broken escape.
Result<std::string> FromWirePath(std::string_view text);

}  // namespace writ::workspace
