// What somebody names must not cost the plane more than what is stored.
#include "plane/retention.h"

#include <gtest/gtest.h>

#include <map>

#include "storage/memory/memory_store.h"

namespace writ::plane {
namespace {

using canon::Json;
using storage::Durability;

/// Counts how often each content is read, and fails where told.
class CountedBlobs final : public storage::BlobStore {
 public:
  Result<std::unique_ptr<storage::BlobWriter>> Create() override { return inner_->Create(); }
  Result<std::string> Get(std::string_view hash, std::uint64_t bytes_max) override {
    ++reads[std::string(hash)];
    if (failing) return Fail(Code::kExhausted, "too many open files");
    return inner_->Get(hash, bytes_max);
  }
  Result<sys::UniqueFd> Open(std::string_view hash) override { return inner_->Open(hash); }
  Result<bool> Has(std::string_view hash) override { return inner_->Has(hash); }
  Result<> MakeDurable(std::span<const std::string> hashes) override { return inner_->MakeDurable(hashes); }
  Result<> ForEach(const std::function<Result<>(const Entry& entry)>& visit) override { return inner_->ForEach(visit); }
  Result<bool> Remove(std::string_view hash, WallTime unless_since) override { return inner_->Remove(hash, unless_since); }

  std::map<std::string, int> reads;
  bool failing = false;

 private:
  std::unique_ptr<storage::BlobStore> inner_ = storage::MakeMemoryBlobStore();
};

class RetentionTest : public testing::Test {
 protected:
  std::string Put(std::string_view text) { return *blobs_.Put(AsBytes(text), Durability::kDurable); }
  /// A run that waits for consent to see these directories.
  void Ask(const std::string& id, const std::vector<std::string>& listings) {
    Json::Array inputs;
    for (const auto& hash : listings)
      inputs.push_back(Json::Of({{"name", fmt::format("d{}", inputs.size())}, {"type", "directory"}, {"sha256", hash}, {"bytes", 1}}));
    const Json request = Json::Of({{"writ", Json::Of({{"inputs", Json(std::move(inputs))}})}});
    const auto transaction = *store_->Begin();
    ASSERT_TRUE(transaction->CreateRun({.id = id, .status = storage::RunStatus::kAwaitingApproval, .created = clock_.Now(), .summary = "{}"}));
    ASSERT_TRUE(transaction->PutDocument(id, "request", canon::Compact(request)));
    ASSERT_TRUE(transaction->Commit(Durability::kDurable));
  }
  bool Sweep() {
    const auto transaction = *store_->Begin();
    Change change(*transaction, clock_.Now(), clock_.Mono());
    if (!Retain(core_, change)) {
      change.Undone();
      return false;
    }
    EXPECT_TRUE(transaction->Commit(Durability::kDurable));
    change.Committed();
    return true;
  }
  bool Has(const std::string& hash) { return *blobs_.Has(hash); }

  FakeClock clock_{SystemClock().Now() + std::chrono::hours{24 * 3}};
  std::unique_ptr<storage::Store> store_ = storage::MakeMemoryStore();
  CountedBlobs blobs_;
  policy::Policy policy_;
  PlaneKeys keys_ = MakePlaneKeys(crypto::PrivateKey::Generate(), crypto::PrivateKey::Generate());
  Core core_{.store = *store_, .blobs = blobs_, .clock = clock_, .policy = policy_, .keys = keys_,
             .settings = {.retention = true}, .secrets = {}, .idp = nullptr, .fault = {}};
};

TEST_F(RetentionTest, Attack43_AListingIsReadOnceHoweverOftenItIsNamed) {
  const std::string file = Put("in the directory"), nobodys = Put("nobody's");
  const std::string listing = Put("file 444 16 " + file);
  Ask("run_1", std::vector<std::string>(1000, listing));
  Ask("run_2", std::vector<std::string>(1000, listing));
  ASSERT_TRUE(Sweep());
  EXPECT_EQ(blobs_.reads[listing], 1);
  EXPECT_TRUE(Has(listing));
  EXPECT_TRUE(Has(file));
  EXPECT_FALSE(Has(nobodys));
}

TEST_F(RetentionTest, Attack43_WhatIsNotStoredIsNotLookedFor) {
  Ask("run_1", {std::string(64, 'a')});
  ASSERT_TRUE(Sweep());
  EXPECT_TRUE(blobs_.reads.empty());
}

TEST_F(RetentionTest, NothingIsRemovedWhenAListingCannotBeRead) {
  const std::string file = Put("in the directory");
  const std::string listing = Put("file 444 16 " + file);
  Ask("run_1", {listing});
  blobs_.failing = true;
  EXPECT_FALSE(Sweep());
  EXPECT_TRUE(Has(file));
  blobs_.failing = false;
  EXPECT_TRUE(Sweep());
  EXPECT_TRUE(Has(file));
}

}  // namespace
}  // namespace writ::plane
