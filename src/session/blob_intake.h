#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "session/redaction.h"
#include "storage/blob_store.h"
#include "workspace/blobs.h"

namespace writ::session {

/// Puts file contents that a run left into the blob store, buffered: BlobStore::MakeDurable is the caller's. Secrets of
/// the run are redacted on the way, in text and in any other content; what holds none is kept byte for byte.
class BlobIntake final : public workspace::BlobSink {
 public:
  /// `blobs` is borrowed. `redaction` may be null: nothing is secret.
  BlobIntake(storage::BlobStore& blobs, Redaction redaction) : blobs_(blobs), redaction_(std::move(redaction)) {}
  Result<workspace::KeptContent> Put(const workspace::ContentReader& read) override;
  /// How often secrets were replaced in the content that is kept under this hash.
  std::uint64_t Redacted(std::string_view sha256) const;

 private:
  storage::BlobStore& blobs_;
  Redaction redaction_;
  std::map<std::string, std::uint64_t, std::less<>> redacted_;
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
