#include "storage/blob_store.h"

namespace writ::storage {

Result<std::string> BlobStore::Put(ByteView bytes, Durability durability) {
  const auto writer = WRIT_TRY("store blob", Create());
  WRIT_TRY("store blob", writer->Write(bytes));
  return writer->Finish(durability);
}

Result<Collected> CollectBlobs(Store& store, BlobStore& blobs, WallTime unless_since) {
  Collected collected;
  const auto visit = [&](const BlobStore::Entry& entry) -> Result<> {
    const bool in_use = WRIT_TRY("collect blobs", store.BlobInUse(entry.hash));
    if (in_use) return {};
    const bool removed = WRIT_TRY("collect blobs", blobs.Remove(entry.hash, unless_since));
    if (removed) {
      ++collected.blobs;
      collected.bytes += entry.bytes;
    }
    return {};
  };
  WRIT_TRY("collect blobs", blobs.ForEach(visit));
  return collected;
}

}  // namespace writ::storage
