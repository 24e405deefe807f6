#pragma once

#include <string_view>
#include <vector>

#include "base/error.h"
#include "sys/unique_fd.h"
#include "workspace/blobs.h"
#include "workspace/collect.h"

namespace writ::workspace {

/// Writes collected outputs below `directory` under their names: files by rename from a temporary name, mode 0644 or
/// 0755, owner the caller. An existing plain file is replaced; a link or anything else in the way is refused, and no
/// directory is reached through a link. `only`: one output's name, or empty for all.
/// Errors: kNotFound for an unknown name; kInvalid for what is in the way; kCorrupt for kept content that does not
/// have its hash. What was written before an error stays.
Result<> Release(const std::vector<CollectedOutput>& outputs, BlobSource& blobs, const sys::UniqueFd& directory,
                 std::string_view only = {});

}  // namespace writ::workspace
