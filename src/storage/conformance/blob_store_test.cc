#include "storage/blob_store.h"

#include <gtest/gtest.h>

#include <chrono>
#include <set>
#include <thread>

#include "crypto/digest.h"
#include "storage/blobs/directory.h"
#include "storage/memory/memory_store.h"
#include "sys/file.h"

namespace writ::storage {
namespace {

WallTime Now() { return std::chrono::time_point_cast<Millis>(std::chrono::system_clock::now()); }
const WallTime kHourAgo = Now() - std::chrono::hours{1};
const WallTime kLater = Now() + std::chrono::hours{24};

class BlobStoreTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (std::string_view(GetParam()) == "memory") {
      blobs_ = MakeMemoryBlobStore();
      return;
    }
    directory_.emplace(*sys::TemporaryDirectory::Create("/tmp", "writ-blobs-"));
    auto blobs = OpenBlobDirectory(*StateDir::Open(directory_->path(), StateAccess::kWrite));
    ASSERT_TRUE(blobs) << blobs.error().what;
    blobs_ = *std::move(blobs);
  }
  std::set<std::string> All() {
    std::set<std::string> hashes;
    EXPECT_TRUE(blobs_->ForEach([&](const BlobStore::Entry& entry) -> Result<> {
      hashes.insert(entry.hash);
      return {};
    }));
    return hashes;
  }

  std::optional<sys::TemporaryDirectory> directory_;
  std::unique_ptr<BlobStore> blobs_;
};

INSTANTIATE_TEST_SUITE_P(Stores, BlobStoreTest, testing::Values("memory", "directory"),
                         [](const auto& param) { return std::string(param.param); });

TEST_P(BlobStoreTest, ReturnsWhatWasStored) {
  const std::string big(1 << 20, 'x');
  for (const std::string& content : {std::string(), std::string("a\0b", 3), big}) {
    for (const Durability durability : {Durability::kBuffered, Durability::kDurable}) {
      const auto hash = blobs_->Put(AsBytes(content), durability);
      ASSERT_TRUE(hash) << hash.error().what;
      EXPECT_EQ(*hash, crypto::Sha256Hex(content));
      EXPECT_EQ(*blobs_->Get(*hash, 1 << 20), content);
      EXPECT_TRUE(*blobs_->Has(*hash));
      const auto fd = blobs_->Open(*hash);
      ASSERT_TRUE(fd);
      EXPECT_EQ(*sys::ReadAll(fd->get(), 1 << 21), content);
    }
  }
  EXPECT_EQ(All().size(), 3u);
  EXPECT_EQ(blobs_->Get(crypto::Sha256Hex(big), (1 << 20) - 1).error().code, Code::kExhausted);
}

TEST_P(BlobStoreTest, WritesInPieces) {
  auto writer = *blobs_->Create();
  ASSERT_TRUE(writer->Write(AsBytes("ab")));
  ASSERT_TRUE(writer->Write(AsBytes("")));
  ASSERT_TRUE(writer->Write(AsBytes("c")));
  EXPECT_EQ(writer->bytes(), 3u);
  EXPECT_EQ(*writer->Finish(Durability::kBuffered), crypto::Sha256Hex("abc"));
}

TEST_P(BlobStoreTest, AnUnfinishedBlobLeavesNothing) {
  {
    auto writer = *blobs_->Create();
    ASSERT_TRUE(writer->Write(AsBytes("abc")));
  }
  EXPECT_TRUE(All().empty());
}

TEST_P(BlobStoreTest, OtherContentThanExpectedIsRefused) {
  auto writer = *blobs_->Create();
  ASSERT_TRUE(writer->Write(AsBytes("abc")));
  EXPECT_EQ(writer->Finish(Durability::kDurable, crypto::Sha256Hex("abd")).error().code, Code::kCorrupt);
  EXPECT_TRUE(All().empty());
  writer = *blobs_->Create();
  ASSERT_TRUE(writer->Write(AsBytes("abc")));
  EXPECT_TRUE(writer->Finish(Durability::kDurable, crypto::Sha256Hex("abc")));
}

TEST_P(BlobStoreTest, NamesThatAreNoHashesAreNeverPaths) {
  for (const char* name : {"", "..", "../../etc/passwd", "tmp", "ABCDEF", "/etc/passwd"}) {
    EXPECT_FALSE(blobs_->Get(name, 100)) << name;
    EXPECT_FALSE(blobs_->Open(name)) << name;
  }
  EXPECT_EQ(blobs_->Get(crypto::Sha256Hex("none"), 100).error().code, Code::kNotFound);
  EXPECT_FALSE(*blobs_->Has(crypto::Sha256Hex("none")));
}

TEST_P(BlobStoreTest, MakeDurableNeedsTheBlobs) {
  const std::string a = *blobs_->Put(AsBytes("a"), Durability::kBuffered);
  const std::string b = *blobs_->Put(AsBytes("b"), Durability::kBuffered);
  EXPECT_TRUE(blobs_->MakeDurable(std::vector{a, b}));
  EXPECT_TRUE(blobs_->MakeDurable({}));
  EXPECT_EQ(blobs_->MakeDurable(std::vector{a, crypto::Sha256Hex("none")}).error().code, Code::kNotFound);
}

TEST_P(BlobStoreTest, RemoveSparesWhatWasStoredSince) {
  const std::string hash = *blobs_->Put(AsBytes("a"), Durability::kBuffered);
  EXPECT_FALSE(*blobs_->Remove(hash, kHourAgo));
  EXPECT_TRUE(*blobs_->Has(hash));
  EXPECT_TRUE(*blobs_->Remove(hash, kLater));
  EXPECT_FALSE(*blobs_->Has(hash));
  EXPECT_TRUE(*blobs_->Remove(hash, kLater)) << "what is gone is gone";
}

TEST_P(BlobStoreTest, CollectKeepsWhatRunsName) {
  const auto store = MakeMemoryStore();
  const std::string named = *blobs_->Put(AsBytes("named"), Durability::kBuffered);
  const std::string loose = *blobs_->Put(AsBytes("loose"), Durability::kBuffered);
  auto transaction = *store->Begin();
  ASSERT_TRUE(transaction->CreateRun({.id = "run_1"}));
  ASSERT_TRUE(transaction->AddArtifact("run_1", {.kind = "log", .name = "", .hash = named, .bytes = 5}));
  ASSERT_TRUE(transaction->Commit(Durability::kBuffered));
  transaction.reset();
  EXPECT_EQ(CollectBlobs(*store, *blobs_, kHourAgo)->blobs, 0u);
  const auto collected = CollectBlobs(*store, *blobs_, kLater);
  ASSERT_TRUE(collected);
  EXPECT_EQ(collected->blobs, 1u);
  EXPECT_EQ(collected->bytes, 5u);
  EXPECT_EQ(All(), std::set<std::string>{named});
}

TEST_P(BlobStoreTest, ManyWritersOfTheSameContent) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 50; ++n) {
        const std::string content = std::to_string(n);
        const auto hash = blobs_->Put(AsBytes(content), Durability::kBuffered);
        EXPECT_TRUE(hash && blobs_->Get(*hash, 10) == content);
        EXPECT_TRUE(blobs_->Remove(crypto::Sha256Hex("unrelated"), kLater));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(All().size(), 50u);
}

}  // namespace
}  // namespace writ::storage
