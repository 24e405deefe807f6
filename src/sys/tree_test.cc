#include "sys/tree.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "sys/file.h"

namespace writ::sys {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class Tree : public testing::Test {
 protected:
  void Write(const std::string& name, std::string_view text) {
    ASSERT_TRUE(WriteFileAtomic(Path(name), text, 0644, Durability::kQuick));
  }
  std::string Path(const std::string& name) const { return temporary_.path() + "/" + name; }
  const UniqueFd& root() const { return temporary_.fd(); }

  TemporaryDirectory temporary_ = TemporaryDirectory::Create(testing::TempDir(), "tree-").value();
  LocalTreeOpener opener_;
};

TEST_F(Tree, OpensAFileForReading) {
  Write("f", "hello");
  auto entry = opener_.Open(root(), "f");
  ASSERT_TRUE(entry) << entry.error().what;
  EXPECT_EQ(entry->meta.type, FileType::kRegular);
  EXPECT_EQ(entry->meta.mode, 0644u);
  EXPECT_EQ(entry->meta.bytes, 5u);
  EXPECT_EQ(ReadAll(entry->fd.get(), 100).value(), "hello");
}

TEST_F(Tree, RefusesNamesThatAreNotOneComponent) {
  for (std::string_view name : {"", ".", "..", "a/b", "/", "../x"}) {
    auto entry = opener_.Open(root(), name);
    ASSERT_FALSE(entry) << name;
    EXPECT_EQ(entry.error().code, Code::kInvalid);
  }
  EXPECT_EQ(opener_.Open(root(), std::string_view("a\0b", 3)).error().code, Code::kInvalid);
  EXPECT_EQ(opener_.Open(root(), std::string(300, 'x')).error().code, Code::kInvalid);
  EXPECT_EQ(opener_.Open(root(), "missing").error().code, Code::kNotFound);
}

TEST_F(Tree, Attack29_LinksAreReadNotFollowed) {
  ASSERT_EQ(::symlink("/etc/passwd", Path("link").c_str()), 0);
  ASSERT_EQ(::symlink("/proc/self/exe", Path("magic").c_str()), 0);
  ASSERT_EQ(::symlink("/", Path("up").c_str()), 0);
  for (const auto& [name, target] : std::initializer_list<std::pair<const char*, const char*>>{
           {"link", "/etc/passwd"}, {"magic", "/proc/self/exe"}, {"up", "/"}}) {
    auto entry = opener_.Open(root(), name);
    ASSERT_TRUE(entry) << entry.error().what;
    EXPECT_EQ(entry->meta.type, FileType::kSymlink);
    EXPECT_EQ(entry->link_target, target);
    char byte;
    EXPECT_LT(::read(entry->fd.get(), &byte, 1), 0) << "the descriptor must not be readable";
  }
}

TEST_F(Tree, Attack29_SpecialFilesAreNotOpened) {
  ASSERT_EQ(::mkfifo(Path("fifo").c_str(), 0666), 0);
  const UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  ASSERT_LT(Path("socket").size(), sizeof address.sun_path);
  Path("socket").copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  for (const char* name : {"fifo", "socket"}) {
    auto entry = opener_.Open(root(), name);  // would block on the FIFO if it were opened for reading
    ASSERT_TRUE(entry) << entry.error().what;
    EXPECT_EQ(entry->meta.type, FileType::kOther);
  }
  if (::mknod(Path("whiteout").c_str(), S_IFCHR | 0600, 0) == 0) {
    EXPECT_EQ(opener_.Open(root(), "whiteout")->meta.type, FileType::kWhiteout);
  }
}

TEST_F(Tree, Attack29_MountsAreNotEntered) {
  const UniqueFd slash = OpenDirectory("/").value();
  auto proc = opener_.Open(slash, "proc");
  ASSERT_FALSE(proc);
  EXPECT_EQ(proc.error().code, Code::kDenied);
}

TEST_F(Tree, OpaqueMeansTheValueY) {
  ASSERT_EQ(::mkdir(Path("d").c_str(), 0755), 0);
  EXPECT_FALSE(opener_.Open(root(), "d")->opaque);
  if (::setxattr(Path("d").c_str(), "user.overlay.opaque", "x", 1, 0) != 0) {
    GTEST_SKIP() << "this file system has no user attributes";
  }
  EXPECT_FALSE(opener_.Open(root(), "d")->opaque);
  ASSERT_EQ(::setxattr(Path("d").c_str(), "user.overlay.opaque", "y", 1, 0), 0);
  EXPECT_TRUE(opener_.Open(root(), "d")->opaque);
}

TEST_F(Tree, LookingTellsTheSameAsOpening) {
  Write("f", "hello");
  ASSERT_EQ(::symlink("f", Path("link").c_str()), 0);
  ASSERT_EQ(::mkdir(Path("d").c_str(), 0711), 0);
  for (const char* name : {"f", "link", "d"}) {
    const auto looked = opener_.Look(root(), name);
    if (!looked) GTEST_SKIP() << "this kernel does not tell mounts apart";
    const FileMeta opened = opener_.Open(root(), name)->meta;
    EXPECT_EQ(looked->type, opened.type) << name;
    EXPECT_EQ(looked->mode, opened.mode) << name;
    EXPECT_EQ(looked->bytes, opened.bytes) << name;
    EXPECT_EQ(looked->device, opened.device) << name;
    EXPECT_EQ(looked->inode, opened.inode) << name;
    EXPECT_EQ(looked->links, opened.links) << name;
    EXPECT_EQ(looked->mtime_ns, opened.mtime_ns) << name;
    EXPECT_EQ(looked->ctime_ns, opened.ctime_ns) << name;
  }
  EXPECT_EQ(opener_.Look(root(), "missing"), std::nullopt);
  EXPECT_EQ(opener_.Look(OpenDirectory("/").value(), "proc"), std::nullopt) << "a mount is left to Open";
}

TEST_F(Tree, ListsSortedFromTheStartEachTime) {
  for (const char* name : {"b", "a", "c\n", ".hidden"}) Write(name, "");
  for (int round = 0; round < 2; ++round) {
    EXPECT_THAT(ListNames(root(), 10).value(), ElementsAre(".hidden", "a", "b", "c\n"));
  }
  auto over = ListNames(root(), 3);
  ASSERT_FALSE(over);
  EXPECT_EQ(over.error().code, Code::kExhausted);
}

TEST_F(Tree, OpenDirectoryNamesThePath) {
  auto missing = OpenDirectory(Path("nowhere"));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::kNotFound);
  EXPECT_THAT(missing.error().what, HasSubstr("nowhere"));
}

}  // namespace
}  // namespace writ::sys
