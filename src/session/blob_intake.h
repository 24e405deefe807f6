#pragma once

#include <string>

#include "storage/blob_store.h"
#include "workspace/blobs.h"

namespace writ::session {

/// Puts file contents that a run left into the blob store, buffered: BlobStore::MakeDurable is the caller's.
class BlobIntake final : public workspace::BlobSink {
 public:
  /// `blobs` is borrowed.
  explicit BlobIntake(storage::BlobStore& blobs) : blobs_(blobs) {}
  Result<std::string> Put(const workspace::ContentReader& read) override;

 private:
  storage::BlobStore& blobs_;
};

/// File contents out of the blob store.
class BlobOutlet final : public workspace::BlobSource {
 public:
  explicit BlobOutlet(storage::BlobStore& blobs) : blobs_(blobs) {}
  Result<sys::UniqueFd> Open(std::string_view sha256) override { return blobs_.Open(sha256); }

 private:
  storage::BlobStore& blobs_;
};

}  // namespace writ::session
