#include "runner/fetched_blobs.h"

#include <chrono>

#include "storage/blobs/directory.h"

namespace writ::runner {
namespace {

constexpr Millis kFetchTimeout{10 * 60'000};
constexpr std::chrono::minutes kInUse{10};  ///< what was stored since then may be about to be used

}  // namespace

Result<std::unique_ptr<FetchedBlobs>> FetchedBlobs::Open(const storage::StateDir& directory, Lines& lines, const Clock& clock,
                                                         const Bounds& bounds) {
  auto blobs = WRIT_TRY("blob cache", storage::OpenBlobDirectory(directory));
  std::unique_ptr<FetchedBlobs> cache(new FetchedBlobs(directory.path(), std::move(blobs), lines, clock, bounds));
  const auto count = [&](const storage::BlobStore::Entry& entry) -> Result<> {
    cache->bytes_ += entry.bytes;
    return {};
  };
  WRIT_TRY("blob cache", cache->blobs_->ForEach(count));
  return cache;
}

Result<> FetchedBlobs::Fetch(std::string_view sha256) {
  WRIT_TRY("blob cache", Shrink());
  const auto line = WRIT_TRY("plane", lines_.Take());
  auto writer = WRIT_TRY("blob cache", blobs_->Create());
  WRIT_TRY("fetch", line->GetBlob(sha256, [&](ByteView piece) { return writer->Write(piece); }, bounds_.blob_bytes_max, kFetchTimeout));
  bytes_ += writer->bytes();
  [[maybe_unused]] const auto hash = WRIT_TRY("blob cache", writer->Finish(storage::Durability::kBuffered, sha256));
  return {};
}

/// Makes room by forgetting whatever is not about to be used. What is gone is fetched again when it is wanted.
Result<> FetchedBlobs::Shrink() {
  if (bytes_ <= bounds_.cache_bytes_max) return {};
  const std::lock_guard hold(mutex_);
  if (bytes_ <= bounds_.cache_bytes_max) return {};
  const WallTime since = clock_.Now() - kInUse;
  std::uint64_t left = 0;
  const auto drop = [&](const storage::BlobStore::Entry& entry) -> Result<> {
    const bool gone = WRIT_TRY("blob cache", blobs_->Remove(entry.hash, since));
    if (!gone) left += entry.bytes;
    return {};
  };
  WRIT_TRY("blob cache", blobs_->ForEach(drop));
  bytes_ = left;
  return {};
}

Result<sys::UniqueFd> FetchedBlobs::Open(std::string_view sha256) {
  auto here = blobs_->Open(sha256);
  if (here || here.error().code != Code::kNotFound) return here;
  WRIT_TRY(fmt::format("blob {}", sha256), Fetch(sha256));
  return blobs_->Open(sha256);
}

Result<std::string> FetchedBlobs::PathOf(std::string_view sha256) {
  [[maybe_unused]] const auto opened = WRIT_TRY("blob", Open(sha256));
  return fmt::format("{}/blobs/{}/{}", directory_, sha256.substr(0, 2), sha256);
}

}  // namespace writ::runner
