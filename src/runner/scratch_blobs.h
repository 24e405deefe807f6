#pragma once

#include <memory>
#include <string>

#include "base/error.h"
#include "storage/blob_store.h"

namespace writ::runner {

/// Results of one run on their way to the plane: in a directory that is removed with the run, so nothing in it needs to
/// survive a power cut.
Result<std::unique_ptr<storage::BlobStore>> OpenScratchBlobs(const std::string& directory);

}  // namespace writ::runner
