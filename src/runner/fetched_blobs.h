#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "base/clock.h"
#include "base/error.h"
#include "runner/lines.h"
#include "storage/blob_store.h"
#include "storage/state_dir.h"
#include "workspace/blobs.h"

namespace writ::runner {

/// Blobs of the plane, fetched once, hashed while they come, and kept by their hash below the runner's directory until
/// there are too many. Thread-safe: threads that want the same blob fetch it each.
class FetchedBlobs final : public workspace::BlobSource {
 public:
  struct Bounds {
    std::uint64_t blob_bytes_max = 0, cache_bytes_max = 0;
  };
  /// `lines` and `clock` are borrowed.
  static Result<std::unique_ptr<FetchedBlobs>> Open(const storage::StateDir& directory, Lines& lines, const Clock& clock, const Bounds& bounds);

  /// Errors: kNotFound when the plane does not have it; kCorrupt when what came is another content; kExhausted over the
  /// bound; those of the connection.
  Result<sys::UniqueFd> Open(std::string_view sha256) override;
  /// The whole content of a blob that was opened, by path.
  Result<std::string> PathOf(std::string_view sha256);

 private:
  FetchedBlobs(std::string directory, std::unique_ptr<storage::BlobStore> blobs, Lines& lines, const Clock& clock, const Bounds& bounds)
      : directory_(std::move(directory)), blobs_(std::move(blobs)), lines_(lines), clock_(clock), bounds_(bounds) {}
  Result<> Fetch(std::string_view sha256);
  Result<> Shrink();

  const std::string directory_;
  const std::unique_ptr<storage::BlobStore> blobs_;
  Lines& lines_;
  const Clock& clock_;
  const Bounds bounds_;
  std::mutex mutex_;             ///< one sweep at a time
  std::atomic<std::uint64_t> bytes_ = 0;  ///< kept, about
};

}  // namespace writ::runner
