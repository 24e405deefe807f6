#include "workspace/hash_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "workspace/tree_for_test.h"

namespace writ::workspace {
namespace {

using std::chrono::seconds;

sys::FileMeta File(std::uint64_t inode, std::int64_t time_s) {
  sys::FileMeta meta;
  meta.type = sys::FileType::kRegular;
  meta.device = 1, meta.inode = inode, meta.bytes = 10;
  meta.mtime_ns = meta.ctime_ns = time_s * 1'000'000'000;
  return meta;
}
const Sha256Bytes kDigest = {1, 2, 3};

TEST(HashCache, RemembersAcrossProcesses) {
  TestTree tree;
  FileHashCache cache(tree.Path("cache"));
  ASSERT_TRUE(cache.Load());
  cache.Remember(File(7, 100), kDigest, WallTime(seconds(200)));
  ASSERT_TRUE(cache.Save());
  FileHashCache again(tree.Path("cache"));
  ASSERT_TRUE(again.Load());
  EXPECT_EQ(again.Find(File(7, 100)), kDigest);
  EXPECT_EQ(again.Find(File(8, 100)), std::nullopt);
  for (auto change : {+[](sys::FileMeta& m) { m.bytes = 11; }, +[](sys::FileMeta& m) { ++m.mtime_ns; },
                      +[](sys::FileMeta& m) { --m.ctime_ns; }, +[](sys::FileMeta& m) { m.device = 2; }}) {
    sys::FileMeta other = File(7, 100);
    change(other);
    EXPECT_EQ(again.Find(other), std::nullopt);
  }
}

TEST(HashCache, DistrustsFilesThatWereJustChanged) {
  FileHashCache cache("unused");
  cache.Remember(File(1, 100), kDigest, WallTime(seconds(101)));
  EXPECT_EQ(cache.Find(File(1, 100)), std::nullopt);
  cache.Remember(File(1, 100), kDigest, WallTime(seconds(50)));  // the clock was set back
  EXPECT_EQ(cache.Find(File(1, 100)), std::nullopt);
  cache.Remember(File(1, 100), kDigest, WallTime(seconds(102)));
  EXPECT_EQ(cache.Find(File(1, 100)), kDigest);
  sys::FileMeta touched = File(2, 100);  // old mtime by utimes, but ctime tells
  touched.ctime_ns = 200'000'000'000;
  cache.Remember(touched, kDigest, WallTime(seconds(201)));
  EXPECT_EQ(cache.Find(touched), std::nullopt);
}

TEST(HashCache, ForgetsWhatWasNotSeenAgain) {
  TestTree tree;
  for (int round = 0; round < 2; ++round) {
    FileHashCache cache(tree.Path("cache"));
    ASSERT_TRUE(cache.Load());
    if (round == 0) cache.Remember(File(1, 1), kDigest, WallTime(seconds(9)));
    if (round == 0) cache.Remember(File(2, 1), kDigest, WallTime(seconds(9)));
    EXPECT_TRUE(cache.Find(File(2, 1)));
    ASSERT_TRUE(cache.Save());
  }
  FileHashCache cache(tree.Path("cache"));
  ASSERT_TRUE(cache.Load());
  EXPECT_EQ(cache.size(), 1u);
}

TEST(HashCache, ADamagedFileIsNotUsedAndIsMended) {
  TestTree tree;
  FileHashCache cache(tree.Path("cache"));
  ASSERT_TRUE(cache.Load());
  cache.Remember(File(1, 1), kDigest, WallTime(seconds(9)));
  ASSERT_TRUE(cache.Save());
  const std::string good = tree.Read("cache");
  for (std::size_t at = 0; at < good.size(); at += 5) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x40);
    tree.Write("cache", bad);
    FileHashCache damaged(tree.Path("cache"));
    EXPECT_EQ(damaged.Load().error().code, Code::kCorrupt) << at;
    EXPECT_EQ(damaged.size(), 0u);
    tree.Write("cache", std::string_view(good).substr(0, at));
    EXPECT_FALSE(damaged.Load()) << at;
  }
  FileHashCache damaged(tree.Path("cache"));
  EXPECT_FALSE(damaged.Load());
  ASSERT_TRUE(damaged.Save());
  EXPECT_TRUE(FileHashCache(tree.Path("cache")).Load());
}

TEST(HashCache, ACapturedTreeIsReadOnce) {
  TestTree tree, state;
  for (int i = 0; i < 20; ++i) tree.Write(std::to_string(i), std::to_string(i));
  FileHashCache cache(state.Path("cache"));
  sys::LocalTreeOpener opener;
  FakeClock later(std::chrono::floor<Millis>(std::chrono::system_clock::now() + seconds(10)));
  CaptureOptions options{.deny = {}, .cache = &cache};
  const auto first = Capture(tree.fd(), opener, options, later);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->hashed, 20u);
  tree.Write("3", "new");
  const auto second = Capture(tree.fd(), opener, options, later);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->hashed, 1u);
  EXPECT_THAT(ChangedBetween(*first, *second).paths, testing::ElementsAre("3"));
  // By the machine's clock the files are too fresh to be trusted.
  FileHashCache fresh(state.Path("fresh"));
  options.cache = &fresh;
  ASSERT_TRUE(Capture(tree.fd(), opener, options, SystemClock()));
  EXPECT_EQ(fresh.size(), 0u);
}

}  // namespace
}  // namespace writ::workspace
