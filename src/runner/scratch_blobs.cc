#include "runner/scratch_blobs.h"

#include "storage/blobs/directory.h"
#include "storage/state_dir.h"

namespace writ::runner {
namespace {

class ScratchBlobs final : public storage::BlobStore {
 public:
  explicit ScratchBlobs(std::unique_ptr<storage::BlobStore> inner) : inner_(std::move(inner)) {}

  Result<std::unique_ptr<storage::BlobWriter>> Create() override { return inner_->Create(); }
  Result<std::string> Get(std::string_view hash, std::uint64_t bytes_max) override { return inner_->Get(hash, bytes_max); }
  Result<sys::UniqueFd> Open(std::string_view hash) override { return inner_->Open(hash); }
  Result<bool> Has(std::string_view hash) override { return inner_->Has(hash); }
  Result<> MakeDurable(std::span<const std::string>) override { return {}; }  // the plane does
  Result<> ForEach(const std::function<Result<>(const Entry& entry)>& visit) override { return inner_->ForEach(visit); }
  Result<bool> Remove(std::string_view hash, WallTime unless_since) override { return inner_->Remove(hash, unless_since); }

 private:
  const std::unique_ptr<storage::BlobStore> inner_;
};

}  // namespace

Result<std::unique_ptr<storage::BlobStore>> OpenScratchBlobs(const std::string& directory) {
  const auto state = WRIT_TRY("results", storage::StateDir::Open(directory, storage::StateAccess::kWrite));
  auto blobs = WRIT_TRY("results", storage::OpenBlobDirectory(state));
  return std::make_unique<ScratchBlobs>(std::move(blobs));
}

}  // namespace writ::runner
