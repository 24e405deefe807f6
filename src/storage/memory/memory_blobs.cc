#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <map>
#include <mutex>

#include "crypto/digest.h"
#include "storage/memory/memory_store.h"
#include "sys/file.h"

namespace writ::storage {
namespace {

struct Blob {
  std::string bytes;
  WallTime stored{};
};

/// Shared with writers, which may outlive the store.
struct Blobs {
  std::mutex mutex;
  std::map<std::string, Blob, std::less<>> by_hash;  // guarded by mutex
};

WallTime Now() { return std::chrono::time_point_cast<Millis>(std::chrono::system_clock::now()); }

std::unexpected<Error> NoSuchBlob(std::string_view hash) { return Fail(Code::kNotFound, "there is no blob {}", hash); }

class MemoryBlobWriter final : public BlobWriter {
 public:
  explicit MemoryBlobWriter(std::shared_ptr<Blobs> blobs) : blobs_(std::move(blobs)) {}

  Result<> Write(ByteView bytes) override {
    bytes_ += AsText(bytes);
    return {};
  }
  Result<std::string> Finish(Durability, std::string_view expected_hash) override {
    std::string hash = crypto::Sha256Hex(bytes_);
    if (!expected_hash.empty() && hash != expected_hash) {
      return Fail(Code::kCorrupt, "the content is not what its hash {} says", expected_hash);
    }
    const std::lock_guard lock(blobs_->mutex);
    blobs_->by_hash.insert_or_assign(hash, Blob{std::move(bytes_), Now()});
    return hash;
  }
  std::uint64_t bytes() const override { return bytes_.size(); }

 private:
  std::shared_ptr<Blobs> blobs_;
  std::string bytes_;
};

class MemoryBlobStore final : public BlobStore {
 public:
  Result<std::unique_ptr<BlobWriter>> Create() override { return std::make_unique<MemoryBlobWriter>(blobs_); }

  Result<std::string> Get(std::string_view hash, std::uint64_t bytes_max) override {
    const std::lock_guard lock(blobs_->mutex);
    const auto found = blobs_->by_hash.find(hash);
    if (found == blobs_->by_hash.end()) return NoSuchBlob(hash);
    if (found->second.bytes.size() > bytes_max) {
      return Fail(Code::kExhausted, "blob {} is longer than {} bytes", hash, bytes_max);
    }
    return found->second.bytes;
  }

  Result<sys::UniqueFd> Open(std::string_view hash) override {
    const std::string bytes = WRIT_TRY("open blob", Get(hash, UINT64_MAX));
    sys::UniqueFd fd(::memfd_create("blob", MFD_CLOEXEC));
    if (!fd.valid()) return FailErrno("open blob");
    WRIT_TRY("open blob", sys::WriteAll(fd.get(), bytes));
    if (::lseek(fd.get(), 0, SEEK_SET) != 0) return FailErrno("open blob");
    return fd;
  }

  Result<bool> Has(std::string_view hash) override {
    const std::lock_guard lock(blobs_->mutex);
    return blobs_->by_hash.contains(hash);
  }

  Result<> MakeDurable(std::span<const std::string> hashes) override {
    for (const std::string& hash : hashes) {
      const bool has = WRIT_TRY("store blob", Has(hash));
      if (!has) return NoSuchBlob(hash);
    }
    return {};
  }

  Result<> ForEach(const std::function<Result<>(const Entry&)>& visit) override {
    std::vector<Entry> entries;
    {
      const std::lock_guard lock(blobs_->mutex);
      for (const auto& [hash, blob] : blobs_->by_hash) entries.push_back({hash, blob.bytes.size()});
    }
    for (const Entry& entry : entries) WRIT_TRY("walk blobs", visit(entry));
    return {};
  }

  Result<bool> Remove(std::string_view hash, WallTime unless_since) override {
    const std::lock_guard lock(blobs_->mutex);
    const auto found = blobs_->by_hash.find(hash);
    if (found == blobs_->by_hash.end()) return true;
    if (found->second.stored >= unless_since) return false;
    blobs_->by_hash.erase(found);
    return true;
  }

 private:
  std::shared_ptr<Blobs> blobs_ = std::make_shared<Blobs>();
};

}  // namespace

std::unique_ptr<BlobStore> MakeMemoryBlobStore() { return std::make_unique<MemoryBlobStore>(); }

}  // namespace writ::storage
