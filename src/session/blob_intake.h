#pragma once

#include <string>
#include <vector>

#include "storage/blob_store.h"
#include "workspace/blobs.h"

namespace writ::session {

/// Puts file contents that a run left into the blob store, and makes them durable all at once.
class BlobIntake final : public workspace::BlobSink {
 public:
  /// `blobs` is borrowed.
  explicit BlobIntake(storage::BlobStore& blobs) : blobs_(blobs) {}
  Result<std::string> Put(const workspace::ContentReader& read) override;
  /// After this every content that was put survives a power cut.
  Result<> Settle();

 private:
  storage::BlobStore& blobs_;
  std::vector<std::string> unsettled_;
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
