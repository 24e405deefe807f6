#include "runner/scratch_blobs.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <set>

#include "crypto/digest.h"
#include "sys/file.h"

namespace writ::runner {
namespace {

using storage::Durability;

class ScratchBlobsTest : public testing::Test {
 protected:
  bool OnDisk() const { return std::filesystem::exists(folder_.path() + "/blobs"); }
  std::set<std::string> All() {
    std::set<std::string> all;
    EXPECT_TRUE(blobs_->ForEach([&](const storage::BlobStore::Entry& entry) -> Result<> {
      EXPECT_TRUE(all.insert(entry.hash).second);
      return {};
    }));
    return all;
  }

  sys::TemporaryDirectory folder_ = *sys::TemporaryDirectory::Create(testing::TempDir(), "scratch");
  std::unique_ptr<storage::BlobStore> blobs_ = MakeScratchBlobs(folder_.path());
};

TEST_F(ScratchBlobsTest, SmallOnesTouchNoDisk) {
  const std::string hash = *blobs_->Put(AsBytes("hi\n"), Durability::kDurable);
  EXPECT_EQ(hash, crypto::Sha256Hex("hi\n"));
  EXPECT_FALSE(OnDisk());
  EXPECT_EQ(*blobs_->Get(hash, 3), "hi\n");
  EXPECT_EQ(blobs_->Get(hash, 2).error().code, Code::kExhausted);
  const auto fd = blobs_->Open(hash);
  ASSERT_TRUE(fd);
  EXPECT_EQ(*sys::ReadAll(fd->get(), 100), "hi\n");
  EXPECT_TRUE(*blobs_->Has(hash));
  EXPECT_EQ(All(), std::set<std::string>{hash});
  EXPECT_TRUE(*blobs_->Remove(hash, WallTime::max()));
  EXPECT_FALSE(*blobs_->Has(hash));
  EXPECT_EQ(blobs_->Get(hash, 100).error().code, Code::kNotFound);
  EXPECT_EQ(blobs_->Open(hash).error().code, Code::kNotFound);
}

TEST_F(ScratchBlobsTest, LargeOnesAndManyGoToDisk) {
  const std::string large(200'000, 'x');
  const auto writer = *blobs_->Create();
  for (std::size_t at = 0; at < large.size(); at += 50'000) ASSERT_TRUE(writer->Write(AsBytes(large).subspan(at, 50'000)));
  EXPECT_EQ(writer->bytes(), large.size());
  EXPECT_EQ(*writer->Finish(Durability::kBuffered), crypto::Sha256Hex(large));
  EXPECT_TRUE(OnDisk());
  EXPECT_EQ(*blobs_->Get(crypto::Sha256Hex(large), 1 << 20), large);
  std::set<std::string> stored = {crypto::Sha256Hex(large)};
  for (int i = 0; i < 40; ++i) stored.insert(*blobs_->Put(AsBytes(std::string(60'000, 'a') + std::to_string(i)), Durability::kBuffered));
  EXPECT_EQ(stored.size(), 41u);
  EXPECT_EQ(All(), stored);
  for (const auto& hash : stored) EXPECT_EQ(crypto::Sha256Hex(*blobs_->Get(hash, 1 << 20)), hash);
}

TEST_F(ScratchBlobsTest, OtherContentThanExpectedIsRefused) {
  for (const std::size_t size : {std::size_t{3}, std::size_t{100'000}}) {
    const auto writer = *blobs_->Create();
    ASSERT_TRUE(writer->Write(AsBytes(std::string(size, 'x'))));
    EXPECT_EQ(writer->Finish(Durability::kBuffered, crypto::Sha256Hex("y")).error().code, Code::kCorrupt);
  }
  EXPECT_EQ(All(), std::set<std::string>());
}

}  // namespace
}  // namespace writ::runner
