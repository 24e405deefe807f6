#include "storage/state_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <map>

#include "sys/file.h"

namespace writ::storage {
namespace {

EnvLookup Env(std::map<std::string, std::string, std::less<>> values) {
  return [values = std::move(values)](std::string_view name) -> std::optional<std::string> {
    const auto found = values.find(name);
    if (found == values.end()) return std::nullopt;
    return found->second;
  };
}

TEST(DefaultStatePath, Order) {
  EXPECT_EQ(*DefaultStatePath(Env({{"WRIT_STATE", "/s"}, {"XDG_STATE_HOME", "/x"}, {"HOME", "/h"}}), false), "/s");
  EXPECT_EQ(*DefaultStatePath(Env({{"WRIT_STATE", "/s"}}), true), "/s");
  EXPECT_EQ(*DefaultStatePath(Env({{"XDG_STATE_HOME", "/x"}, {"HOME", "/h"}}), false), "/x/writ");
  EXPECT_EQ(*DefaultStatePath(Env({{"XDG_STATE_HOME", ""}, {"HOME", "/h"}}), false), "/h/.local/state/writ");
  EXPECT_EQ(*DefaultStatePath(Env({{"XDG_STATE_HOME", "/x"}, {"HOME", "/h"}}), true), "/var/lib/writ");
  EXPECT_EQ(DefaultStatePath(Env({{"WRIT_STATE", "s"}}), false).error().code, Code::kInvalid);
  EXPECT_EQ(DefaultStatePath(Env({{"HOME", "h"}}), false).error().code, Code::kInvalid);
  EXPECT_EQ(DefaultStatePath(Env({}), false).error().code, Code::kInvalid);
}

class StateDirTest : public testing::Test {
 protected:
  StateDirTest() : directory_(*sys::TemporaryDirectory::Create("/tmp", "writ-state-")) {}
  std::string Path(const std::string& name) const { return directory_.path() + "/" + name; }
  static mode_t ModeOf(const std::string& path) {
    struct stat status{};
    EXPECT_EQ(::lstat(path.c_str(), &status), 0);
    return status.st_mode & 07777;
  }
  sys::TemporaryDirectory directory_;
};

TEST_F(StateDirTest, IsMadeForTheOwnerOnly) {
  const mode_t before = ::umask(0);
  const auto state = StateDir::Open(Path("a/b/"), StateAccess::kWrite);
  ASSERT_TRUE(state) << state.error().what;
  ASSERT_TRUE(state->Subdirectory("keys"));
  ::umask(before);
  EXPECT_EQ(state->path(), Path("a/b"));
  EXPECT_EQ(ModeOf(Path("a/b")), 0700u);
  EXPECT_EQ(ModeOf(Path("a/b/keys")), 0700u);
}

TEST_F(StateDirTest, ReadingMakesNothing) {
  EXPECT_EQ(StateDir::Open(Path("a"), StateAccess::kRead).error().code, Code::kNotFound);
  ASSERT_TRUE(StateDir::Open(Path("a"), StateAccess::kWrite));
  const auto state = StateDir::Open(Path("a"), StateAccess::kRead);
  ASSERT_TRUE(state);
  EXPECT_EQ(state->Subdirectory("keys").error().code, Code::kNotFound);
}

TEST_F(StateDirTest, LinksAndFilesAreRefused) {
  ASSERT_EQ(::mkdir(Path("real").c_str(), 0700), 0);
  ASSERT_EQ(::symlink("real", Path("link").c_str()), 0);
  for (const char* name : {"link", "link/"}) {
    const auto state = StateDir::Open(Path(name), StateAccess::kWrite);
    ASSERT_FALSE(state);
    EXPECT_EQ(state.error().code, Code::kDenied);
    EXPECT_THAT(state.error().what, testing::HasSubstr("symbolic link"));
  }
  ASSERT_EQ(::symlink("/etc", Path("real/keys").c_str()), 0);
  EXPECT_EQ(StateDir::Open(Path("real"), StateAccess::kWrite)->Subdirectory("keys").error().code, Code::kDenied);
  ASSERT_TRUE(sys::WriteFileAtomic(Path("file"), "x", 0600));
  EXPECT_EQ(StateDir::Open(Path("file"), StateAccess::kWrite).error().code, Code::kDenied);
  EXPECT_EQ(StateDir::Open("relative", StateAccess::kWrite).error().code, Code::kInvalid);
  EXPECT_EQ(StateDir::Open("", StateAccess::kWrite).error().code, Code::kInvalid);
}

TEST_F(StateDirTest, Attack18_DirectoriesThatOthersMayWriteAreRefused) {
  for (const mode_t mode : {0770, 0707, 0722}) {
    const std::string path = Path(fmt::format("open{:o}", mode));
    ASSERT_EQ(::mkdir(path.c_str(), 0700), 0);
    ASSERT_EQ(::chmod(path.c_str(), mode), 0);
    const auto state = StateDir::Open(path, StateAccess::kWrite);
    ASSERT_FALSE(state);
    EXPECT_EQ(state.error().code, Code::kDenied);
    EXPECT_THAT(state.error().what, testing::HasSubstr("chmod 0700"));
  }
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give directories away";
  ASSERT_EQ(::mkdir(Path("foreign").c_str(), 0700), 0);
  ASSERT_EQ(::chown(Path("foreign").c_str(), 12345, 12345), 0);
  const auto state = StateDir::Open(Path("foreign"), StateAccess::kRead);
  ASSERT_FALSE(state);
  EXPECT_THAT(state.error().what, testing::HasSubstr("belongs to user 12345"));
}

}  // namespace
}  // namespace writ::storage
