#pragma once

#include <memory>

#include "storage/blob_store.h"
#include "storage/store.h"

namespace writ::storage {

/// Stores that live as long as the object; for tests of the layers above. They pass the same conformance suite.
std::unique_ptr<Store> MakeMemoryStore();
std::unique_ptr<BlobStore> MakeMemoryBlobStore();

}  // namespace writ::storage
