#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "base/error.h"
#include "storage/blob_store.h"
#include "storage/state_dir.h"

namespace writ::storage {

struct BlobDirectoryOptions {
  /// Called before every step that changes the disk, with its name; tests stop the process in it.
  std::function<void(std::string_view step)> before_step;
};

/// Opens `blobs/` of a state directory: HASH[0:2]/HASH, files 0400, directories 0700, temporary files in `tmp`.
/// A crash can leave temporary files; ForEach removes those that nobody has written to for a day.
Result<std::unique_ptr<BlobStore>> OpenBlobDirectory(const StateDir& state, BlobDirectoryOptions options = {});

}  // namespace writ::storage
