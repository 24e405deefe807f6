#include "runner/scratch_blobs.h"

#include <sys/mman.h>
#include <unistd.h>

#include <map>
#include <mutex>

#include "crypto/digest.h"
#include "storage/blobs/directory.h"
#include "storage/state_dir.h"
#include "sys/file.h"

namespace writ::runner {
namespace {

using storage::BlobStore;
using storage::BlobWriter;

constexpr std::size_t kSmall = 64u << 10;
constexpr std::size_t kMemoryMax = 1u << 20;  // of all small ones of a run

/// What the writers of a store share with it.
class Kept {
 public:
  explicit Kept(std::string directory) : directory_(std::move(directory)) {}

  /// The store on disk, made when it is first needed.
  Result<BlobStore*> Disk() {
    const std::lock_guard hold(mutex_);
    if (!disk_) {
      const auto state = WRIT_TRY("results", storage::StateDir::Open(directory_, storage::StateAccess::kWrite));
      disk_ = WRIT_TRY("results", storage::OpenBlobDirectory(state));
    }
    return disk_.get();
  }
  BlobStore* DiskIfAny() {
    const std::lock_guard hold(mutex_);
    return disk_.get();
  }
  /// False when there is no room for it.
  bool Put(const std::string& hash, std::string& bytes) {
    const std::lock_guard hold(mutex_);
    if (small_.contains(hash)) return true;
    if (bytes.size() > kMemoryMax - used_) return false;
    used_ += bytes.size();
    small_.emplace(hash, std::move(bytes));
    return true;
  }
  std::optional<std::string> Get(std::string_view hash) {
    const std::lock_guard hold(mutex_);
    const auto found = small_.find(hash);
    return found == small_.end() ? std::nullopt : std::optional(found->second);
  }
  std::map<std::string, std::size_t> Sizes() {
    const std::lock_guard hold(mutex_);
    std::map<std::string, std::size_t> sizes;
    for (const auto& [hash, bytes] : small_) sizes.emplace(hash, bytes.size());
    return sizes;
  }
  void Remove(std::string_view hash) {
    const std::lock_guard hold(mutex_);
    const auto found = small_.find(hash);
    if (found == small_.end()) return;
    used_ -= found->second.size();
    small_.erase(found);
  }

 private:
  const std::string directory_;
  std::mutex mutex_;  ///< guards what follows; the store on disk has locks of its own
  std::unique_ptr<BlobStore> disk_;
  std::map<std::string, std::string, std::less<>> small_;
  std::size_t used_ = 0;
};

class ScratchWriter final : public BlobWriter {
 public:
  explicit ScratchWriter(std::shared_ptr<Kept> kept) : kept_(std::move(kept)) {}

  Result<> Write(ByteView bytes) override {
    bytes_ += bytes.size();
    if (!disk_ && bytes_ <= kSmall) {
      held_.append(AsText(bytes));
      return {};
    }
    WRIT_TRY("results", ToDisk());
    return disk_->Write(bytes);
  }
  Result<std::string> Finish(storage::Durability, std::string_view expected_hash) override {
    if (!disk_) {
      std::string hash = crypto::Sha256Hex(held_);
      if (!expected_hash.empty() && hash != expected_hash)
        return Fail(Code::kCorrupt, "the content is not what its hash {} says", expected_hash);
      if (kept_->Put(hash, held_)) return hash;
      WRIT_TRY("results", ToDisk());
    }
    return disk_->Finish(storage::Durability::kBuffered, expected_hash);
  }
  std::uint64_t bytes() const override { return bytes_; }

 private:
  Result<> ToDisk() {
    if (disk_) return {};
    BlobStore* store = WRIT_TRY("results", kept_->Disk());
    disk_ = WRIT_TRY("results", store->Create());
    const std::string held = std::exchange(held_, {});
    return disk_->Write(AsBytes(held));
  }

  const std::shared_ptr<Kept> kept_;
  std::string held_;
  std::uint64_t bytes_ = 0;
  std::unique_ptr<BlobWriter> disk_;
};

class ScratchBlobs final : public BlobStore {
 public:
  explicit ScratchBlobs(std::string directory) : kept_(std::make_shared<Kept>(std::move(directory))) {}

  Result<std::unique_ptr<BlobWriter>> Create() override { return std::make_unique<ScratchWriter>(kept_); }
  Result<std::string> Get(std::string_view hash, std::uint64_t bytes_max) override {
    auto small = kept_->Get(hash);
    if (small && small->size() > bytes_max) return Fail(Code::kExhausted, "blob {} is longer than {} bytes", hash, bytes_max);
    if (small) return *std::move(small);
    BlobStore* disk = kept_->DiskIfAny();
    return disk == nullptr ? NoSuchBlob(hash) : disk->Get(hash, bytes_max);
  }
  Result<sys::UniqueFd> Open(std::string_view hash) override {
    if (const auto small = kept_->Get(hash)) {
      sys::UniqueFd fd(::memfd_create("result", MFD_CLOEXEC));
      if (!fd.valid()) return FailErrno("open blob");
      WRIT_TRY("open blob", sys::WriteAll(fd.get(), *small));
      if (::lseek(fd.get(), 0, SEEK_SET) != 0) return FailErrno("open blob");
      return fd;
    }
    BlobStore* disk = kept_->DiskIfAny();
    if (disk == nullptr) return std::unexpected(NoSuchBlob(hash).error());
    return disk->Open(hash);
  }
  Result<bool> Has(std::string_view hash) override {
    if (kept_->Get(hash)) return true;
    BlobStore* disk = kept_->DiskIfAny();
    return disk == nullptr ? Result<bool>(false) : disk->Has(hash);
  }
  Result<> MakeDurable(std::span<const std::string>) override { return {}; }  // the plane does
  Result<> ForEach(const std::function<Result<>(const Entry& entry)>& visit) override {
    const auto sizes = kept_->Sizes();
    for (const auto& [hash, bytes] : sizes) WRIT_TRY("walk blobs", visit({hash, bytes}));
    BlobStore* disk = kept_->DiskIfAny();
    if (disk == nullptr) return {};
    return disk->ForEach([&](const Entry& entry) -> Result<> { return sizes.contains(entry.hash) ? Result<>() : visit(entry); });
  }
  Result<bool> Remove(std::string_view hash, WallTime unless_since) override {
    kept_->Remove(hash);
    BlobStore* disk = kept_->DiskIfAny();
    return disk == nullptr ? Result<bool>(true) : disk->Remove(hash, unless_since);
  }

 private:
  static Result<std::string> NoSuchBlob(std::string_view hash) { return Fail(Code::kNotFound, "there is no blob {}", hash); }

  const std::shared_ptr<Kept> kept_;
};

}  // namespace

std::unique_ptr<storage::BlobStore> MakeScratchBlobs(std::string directory) {
  return std::make_unique<ScratchBlobs>(std::move(directory));
}

}  // namespace writ::runner
