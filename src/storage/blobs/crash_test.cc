#include <dirent.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>

#include "crypto/digest.h"
#include "storage/blobs/directory.h"
#include "sys/file.h"

namespace writ::storage {
namespace {

class BlobDirectoryTest : public testing::Test {
 protected:
  BlobDirectoryTest()
      : directory_(*sys::TemporaryDirectory::Create("/tmp", "writ-blobcrash-")),
        state_(*StateDir::Open(directory_.path(), StateAccess::kWrite)) {}
  std::string BlobPath(const std::string& hash) const {
    return fmt::format("{}/blobs/{}/{}", directory_.path(), hash.substr(0, 2), hash);
  }
  std::size_t CountTemporary() const {
    const auto fd = sys::OpenDirectory(directory_.path() + "/blobs/tmp");
    return fd ? sys::ListNames(*fd, 1000)->size() : 0;
  }
  sys::TemporaryDirectory directory_;
  StateDir state_;
};

TEST_F(BlobDirectoryTest, Attack34_KilledAtEveryStepTheBlobIsWholeOrAbsent) {
  const std::string content(300'000, 'b');
  const std::string hash = crypto::Sha256Hex(content);
  int steps = 0;
  for (int at = 1;; ++at) {
    SCOPED_TRACE(at);
    const pid_t pid = ::fork();
    if (pid == 0) {
      int reached = 0;
      auto blobs = OpenBlobDirectory(state_, {.before_step = [&](std::string_view) {
                                       if (++reached == at) ::_exit(42);
                                     }});
      if (!blobs) ::_exit(1);
      const auto writer = (*blobs)->Create();
      if (!writer) ::_exit(2);
      for (std::size_t done = 0; done < content.size(); done += 50'000) {
        if (!(*writer)->Write(AsBytes(std::string_view(content).substr(done, 50'000)))) ::_exit(3);
      }
      ::_exit((*writer)->Finish(Durability::kDurable) ? 0 : 4);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(pid, &status, 0), pid);
    ASSERT_TRUE(WIFEXITED(status));
    const auto blobs = *OpenBlobDirectory(state_);
    const auto found = blobs->Get(hash, 1 << 20);
    if (found) {
      EXPECT_EQ(*found, content);
    } else {
      EXPECT_EQ(found.error().code, Code::kNotFound);
    }
    if (WEXITSTATUS(status) == 0) {
      EXPECT_TRUE(found);
      break;
    }
    ASSERT_EQ(WEXITSTATUS(status), 42);
    ++steps;
    // Whatever was left behind does not stand in the way.
    EXPECT_EQ(*blobs->Put(AsBytes(content), Durability::kDurable), hash);
    EXPECT_EQ(*blobs->Get(hash, 1 << 20), content);
    ASSERT_EQ(::unlink(BlobPath(hash).c_str()), 0);
  }
  EXPECT_GE(steps, 8);
}

TEST_F(BlobDirectoryTest, AbandonedTemporaryFilesAreRemovedAfterADay) {
  const auto blobs = *OpenBlobDirectory(state_);
  ASSERT_TRUE(blobs->Put(AsBytes("x"), Durability::kBuffered));
  const auto living = *blobs->Create();
  ASSERT_TRUE(living->Write(AsBytes(std::string(100'000, 'h'))));
  const std::string stale = directory_.path() + "/blobs/tmp/stale";
  ASSERT_TRUE(sys::WriteFileAtomic(stale, "old", 0600));
  const struct timespec old[2] = {{.tv_sec = 1, .tv_nsec = 0}, {.tv_sec = 1, .tv_nsec = 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, stale.c_str(), old, 0), 0);
  EXPECT_EQ(CountTemporary(), 2u);
  ASSERT_TRUE(blobs->ForEach([](const BlobStore::Entry&) -> Result<> { return {}; }));
  EXPECT_EQ(CountTemporary(), 1u);
  EXPECT_TRUE(living->Finish(Durability::kBuffered));
}

TEST_F(BlobDirectoryTest, WhatIsThereAndWasSyncedCostsNoFileAndNoSync) {
  std::vector<std::string> steps;
  const auto blobs = *OpenBlobDirectory(state_, {.before_step = [&](std::string_view step) { steps.emplace_back(step); }});
  const auto put = [&](Durability durability) {
    steps.clear();
    return *blobs->Put(AsBytes("content"), durability);
  };
  const std::string hash = put(Durability::kBuffered);
  EXPECT_THAT(steps, testing::Not(testing::Contains("sync file")));
  put(Durability::kDurable);
  EXPECT_THAT(steps, testing::ElementsAre("renew", "sync directory")) << "it was there, but not durable";
  put(Durability::kDurable);
  EXPECT_THAT(steps, testing::ElementsAre("renew"));
  ASSERT_EQ(::rename(BlobPath(hash).c_str(), (directory_.path() + "/moved").c_str()), 0);
  ASSERT_TRUE(sys::WriteFileAtomic(BlobPath(hash), "content", 0400));
  put(Durability::kDurable);
  EXPECT_THAT(steps, testing::ElementsAre("renew", "sync directory")) << "another file of that name";
}

TEST_F(BlobDirectoryTest, WhatWasMadeDurableIsNotSyncedAgain) {
  std::vector<std::string> steps;
  const auto blobs = *OpenBlobDirectory(state_, {.before_step = [&](std::string_view step) { steps.emplace_back(step); }});
  const std::vector<std::string> hashes = {*blobs->Put(AsBytes("one"), Durability::kDurable), *blobs->Put(AsBytes("two"), Durability::kBuffered)};
  const auto make = [&](std::span<const std::string> which) {
    steps.clear();
    EXPECT_TRUE(blobs->MakeDurable(which));
    return steps;
  };
  EXPECT_THAT(make(std::span(hashes).first(1)), testing::ElementsAre());
  EXPECT_THAT(make(hashes), testing::ElementsAre("sync file", "sync directory")) << "only the one that was not";
  EXPECT_THAT(make(hashes), testing::ElementsAre());
  EXPECT_EQ(*blobs->Put(AsBytes("two"), Durability::kBuffered), hashes[1]);
  EXPECT_THAT(make(hashes), testing::ElementsAre()) << "stored again, and the same";
  ASSERT_EQ(::rename(BlobPath(hashes[1]).c_str(), (directory_.path() + "/moved").c_str()), 0);
  ASSERT_TRUE(sys::WriteFileAtomic(BlobPath(hashes[1]), "two", 0400, sys::Durability::kQuick));
  EXPECT_THAT(make(hashes), testing::ElementsAre("sync file", "sync directory")) << "another file of that name";
}

TEST_F(BlobDirectoryTest, ABlobWithOtherContentIsFoundOutAndReplaced) {
  const auto blobs = *OpenBlobDirectory(state_);
  const std::string hash = *blobs->Put(AsBytes("content"), Durability::kBuffered);
  for (const std::string& damage : {std::string(), std::string("con"), std::string("cOntent"), std::string(100, 'x')}) {
    SCOPED_TRACE(damage);
    ASSERT_TRUE(sys::WriteFileAtomic(BlobPath(hash), damage, 0400));
    const auto found = blobs->Get(hash, 1000);
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code, Code::kCorrupt);
    EXPECT_THAT(found.error().what, testing::HasSubstr(hash));
    EXPECT_TRUE(blobs->Put(AsBytes("content"), Durability::kBuffered));
    EXPECT_EQ(*blobs->Get(hash, 1000), "content");
  }
}

TEST_F(BlobDirectoryTest, LinksAndOtherFileTypesAreNotFollowed) {
  const auto blobs = *OpenBlobDirectory(state_);
  const std::string hash = *blobs->Put(AsBytes("content"), Durability::kBuffered);
  ASSERT_EQ(::unlink(BlobPath(hash).c_str()), 0);
  ASSERT_TRUE(sys::WriteFileAtomic(directory_.path() + "/elsewhere", "content", 0600));
  ASSERT_EQ(::symlink("../../elsewhere", BlobPath(hash).c_str()), 0);
  EXPECT_FALSE(blobs->Get(hash, 1000));
  ASSERT_EQ(::unlink(BlobPath(hash).c_str()), 0);
  ASSERT_EQ(::mkfifo(BlobPath(hash).c_str(), 0600), 0);
  EXPECT_EQ(blobs->Get(hash, 1000).error().code, Code::kCorrupt) << "and it does not wait for a writer";
  EXPECT_TRUE(blobs->Put(AsBytes("content"), Durability::kBuffered));
  EXPECT_EQ(*blobs->Get(hash, 1000), "content");
}

TEST_F(BlobDirectoryTest, FilesAreForTheOwnerOnlyAndFannedOut) {
  const mode_t before = ::umask(0);
  const auto blobs = *OpenBlobDirectory(state_);
  const std::string hash = *blobs->Put(AsBytes("content"), Durability::kDurable);
  ::umask(before);
  struct stat status{};
  ASSERT_EQ(::stat(BlobPath(hash).c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0400u);
  ASSERT_EQ(::stat((directory_.path() + "/blobs/" + hash.substr(0, 2)).c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0700u);
  EXPECT_EQ(CountTemporary(), 0u);
}

TEST_F(BlobDirectoryTest, ReadingOnlyStoresNothing) {
  ASSERT_TRUE(OpenBlobDirectory(state_));
  const auto blobs = *OpenBlobDirectory(*StateDir::Open(directory_.path(), StateAccess::kRead));
  EXPECT_EQ(blobs->Create().error().code, Code::kDenied);
}

}  // namespace
}  // namespace writ::storage
