#pragma once

#include <memory>
#include <string>

#include "base/error.h"
#include "storage/blob_store.h"

namespace writ::runner {

/// Results of one run on their way to the plane. Small ones stay in memory, as long as they are few; others go to a
/// directory that is made for the first of them and removed with the run, so nothing in it needs to survive a power cut.
/// `directory` must exist; it belongs to the caller.
std::unique_ptr<storage::BlobStore> MakeScratchBlobs(std::string directory);

}  // namespace writ::runner
