#include "sys/file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/beneath.h"

namespace writ::sys {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class File : public testing::Test {
 protected:
  std::string Path(const std::string& name) const { return temporary_.path() + "/" + name; }
  const UniqueFd& root() const { return temporary_.fd(); }
  TemporaryDirectory temporary_ = TemporaryDirectory::Create(testing::TempDir(), "file-").value();
};

TEST_F(File, WritesAtomicallyWithExactlyTheMode) {
  const mode_t before = ::umask(077);
  ASSERT_TRUE(WriteFileAtomic(Path("f"), "one", 0644));
  ::umask(before);
  EXPECT_EQ(StatBeneath(root(), "f")->mode, 0644u);
  ASSERT_TRUE(WriteFileAtomic(Path("f"), "two", 0600, Durability::kQuick));
  EXPECT_EQ(ReadFile(Path("f"), 3).value(), "two");
  EXPECT_EQ(StatBeneath(root(), "f")->mode, 0600u);
  EXPECT_THAT(ListNames(root(), 10).value(), ElementsAre("f"));
}

TEST_F(File, AFailedWriteLeavesNothing) {
  ASSERT_EQ(::mkdir(Path("d").c_str(), 0700), 0);
  ASSERT_TRUE(WriteFileAtomic(Path("d/x"), "", 0600));
  EXPECT_FALSE(WriteFileAtomic(Path("d"), "text", 0600)) << "a directory is in the way";
  EXPECT_FALSE(WriteFileAtomic(Path("none/f"), "text", 0600));
  EXPECT_FALSE(WriteFileAtomic(Path("d/"), "text", 0600));
  EXPECT_THAT(ListNames(root(), 10).value(), ElementsAre("d"));
}

TEST_F(File, ALinkIsReplacedNotFollowed) {
  ASSERT_TRUE(WriteFileAtomic(Path("victim"), "safe", 0600));
  ASSERT_EQ(::symlink("victim", Path("link").c_str()), 0);
  ASSERT_TRUE(WriteFileAtomic(Path("link"), "new", 0600));
  EXPECT_EQ(ReadFile(Path("victim"), 10).value(), "safe");
  EXPECT_EQ(StatBeneath(root(), "link")->type, FileType::kRegular);
}

TEST_F(File, ReadsAreBounded) {
  ASSERT_TRUE(WriteFileAtomic(Path("f"), std::string(200'000, 'x'), 0600));
  EXPECT_EQ(ReadFile(Path("f"), 200'000)->size(), 200'000u);
  auto over = ReadFile(Path("f"), 199'999);
  ASSERT_FALSE(over);
  EXPECT_EQ(over.error().code, Code::kExhausted);
  EXPECT_EQ(ReadFile(Path("f"), 0).error().code, Code::kExhausted);
  EXPECT_FALSE(ReadFile("/proc/self/status", 1u << 20)->empty()) << "files whose size is reported as zero";
}

TEST_F(File, ReadingSomethingElseIsRefusedWithoutBlocking) {
  ASSERT_EQ(::mkfifo(Path("fifo").c_str(), 0600), 0);
  EXPECT_EQ(ReadFile(Path("fifo"), 10).error().code, Code::kInvalid);
  EXPECT_EQ(ReadFile(temporary_.path(), 10).error().code, Code::kInvalid);
  EXPECT_EQ(ReadFile(Path("none"), 10).error().code, Code::kNotFound);
  EXPECT_EQ(ReadFile(std::string("a\0b", 3), 10).error().code, Code::kInvalid);
}

TEST_F(File, MakesDirectories) {
  ASSERT_TRUE(MakeDirectories(Path("a//b/c/"), 0750));
  EXPECT_EQ(StatBeneath(root(), "a/b")->mode, 0750u);
  ASSERT_TRUE(MakeDirectories(Path("a/b/c"), 0700)) << "existing ones are left alone";
  EXPECT_EQ(StatBeneath(root(), "a/b/c")->mode, 0750u);
  ASSERT_TRUE(WriteFileAtomic(Path("a/file"), "", 0600));
  auto blocked = MakeDirectories(Path("a/file/x"), 0700);
  ASSERT_FALSE(blocked);
  EXPECT_THAT(blocked.error().what, HasSubstr("not a directory"));
}

TEST_F(File, RemovesTreesWithoutFollowingLinks) {
  ASSERT_TRUE(MakeDirectories(Path("victim"), 0700));
  ASSERT_TRUE(WriteFileAtomic(Path("victim/f"), "", 0600));
  ASSERT_TRUE(MakeDirectories(Path("t/a/b"), 0700));
  ASSERT_EQ(::symlink("../victim", Path("t/link").c_str()), 0);
  ASSERT_EQ(::mkfifo(Path("t/a/fifo").c_str(), 0600), 0);
  ASSERT_EQ(::chmod(Path("t/a").c_str(), 0), 0);
  ASSERT_TRUE(RemoveTree(root(), "t"));
  ASSERT_TRUE(RemoveTree(root(), "t")) << "already gone";
  EXPECT_TRUE(StatBeneath(root(), "victim/f"));
  EXPECT_THAT(ListNames(root(), 10).value(), ElementsAre("victim"));
}

TEST_F(File, Attack11_RemovesVeryDeepTrees) {
  ASSERT_EQ(::mkdir(Path("deep").c_str(), 0700), 0);
  UniqueFd at = OpenDirectory(Path("deep")).value();
  for (int level = 0; level < 4200; ++level) {
    ASSERT_EQ(::mkdirat(at.get(), "d", 0700), 0);
    at = UniqueFd(::openat(at.get(), "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    ASSERT_TRUE(at.valid());
  }
  ASSERT_TRUE(RemoveTree(root(), "deep"));
  EXPECT_THAT(ListNames(root(), 10).value(), IsEmpty());
}

TEST_F(File, TemporaryDirectoriesRemoveThemselves) {
  std::string path;
  {
    auto inner = TemporaryDirectory::Create(temporary_.path(), "t-");
    ASSERT_TRUE(inner);
    path = inner->path();
    ASSERT_TRUE(WriteFileAtomic(path + "/f", "", 0600));
    const auto moved = std::move(*inner);
    EXPECT_EQ(::access(path.c_str(), F_OK), 0);
  }
  EXPECT_NE(::access(path.c_str(), F_OK), 0);
}

TEST_F(File, PlainRelativePaths) {
  for (std::string_view good : {"a", "a/b", "..a", "a..", "...", "-", "a b\n"}) EXPECT_TRUE(IsPlainRelativePath(good)) << good;
  for (std::string_view bad : {"", "/", "/a", "a/", "a//b", ".", "..", "a/..", "../a", "./a", "a/./b"}) {
    EXPECT_FALSE(IsPlainRelativePath(bad)) << bad;
  }
  EXPECT_FALSE(IsPlainRelativePath(std::string_view("a\0b", 3)));
  EXPECT_FALSE(IsPlainRelativePath(std::string(5000, 'a')));
}

TEST_F(File, Attack29_NothingIsReachedThroughLinks) {
  ASSERT_TRUE(MakeDirectories(Path("inside"), 0700));
  ASSERT_EQ(::symlink("/etc", Path("etc").c_str()), 0);
  ASSERT_EQ(::symlink("inside", Path("near").c_str()), 0);
  ASSERT_TRUE(WriteFileAtomic(Path("file"), "text", 0600));
  EXPECT_FALSE(OpenBeneath(root(), "etc/passwd", O_RDONLY));
  EXPECT_FALSE(OpenBeneath(root(), "near", O_RDONLY));
  EXPECT_FALSE(OpenBeneath(root(), "../x", O_RDONLY));
  EXPECT_FALSE(MakeDirectoriesBeneath(root(), "etc/new", 0700));
  EXPECT_FALSE(MakeDirectoriesBeneath(root(), "near/new", 0700));
  EXPECT_EQ(StatBeneath(root(), "file/x").error().code, Code::kNotFound);
  EXPECT_EQ(StatBeneath(root(), "none/x").error().code, Code::kNotFound);
  EXPECT_EQ(StatBeneath(root(), "near")->type, FileType::kSymlink);
  EXPECT_EQ(ReadLinkBeneath(root(), "near").value(), "inside");
  EXPECT_FALSE(ReadLinkBeneath(root(), "file"));
  EXPECT_EQ(ReadFileBeneath(root(), "file", 10).value(), "text");
  EXPECT_FALSE(ReadFileBeneath(root(), "near", 10));
  ASSERT_TRUE(MakeDirectoriesBeneath(root(), "inside/a/b", 0711));
  EXPECT_EQ(StatBeneath(root(), "inside/a")->mode, 0711u);
  auto place = OpenParentBeneath(root(), "inside/a/new");
  ASSERT_TRUE(place);
  EXPECT_EQ(place->name, "new");
}

}  // namespace
}  // namespace writ::sys
