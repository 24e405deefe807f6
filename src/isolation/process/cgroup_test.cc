#include "isolation/process/cgroup.h"

#include <gtest/gtest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

namespace writ::isolation::process {
namespace {

namespace fs = std::filesystem;

/// Directories below /sys/fs/cgroup that this process made for cells. Others come and go meanwhile, which ends a walk.
std::vector<fs::path> OwnDirectories() {
  constexpr int kWalksMax = 1000;
  for (int walk = 0; walk < kWalksMax; ++walk) {
    std::vector<fs::path> found;
    std::error_code error;
    for (fs::recursive_directory_iterator at("/sys/fs/cgroup", fs::directory_options::skip_permission_denied, error), end; !error && at != end;
         at.increment(error)) {
      if (at->path().filename().string().starts_with(fmt::format("writ-cell-{}-", ::getpid()))) found.push_back(at->path());
      if (at.depth() > 6) at.disable_recursion_pending();
    }
    if (!error) return found;
  }
  ADD_FAILURE() << "no walk through /sys/fs/cgroup came to its end";
  return {};
}

class ControlGroups : public testing::Test {
 protected:
  void SetUp() override {
    if (plan_.MechanismFor("memory").empty()) GTEST_SKIP() << "no control group that this process may use";
  }
  CgroupPlan plan_ = CgroupPlan::Find(::geteuid() == 0, "");
};

TEST_F(ControlGroups, OneMadeAheadIsTheNext) {
  ASSERT_TRUE(plan_.MakeAhead({}));
  EXPECT_TRUE(plan_.made_ahead());
  const auto ahead = OwnDirectories();
  EXPECT_FALSE(ahead.empty());
  {
    const auto taken = plan_.Make();
    ASSERT_TRUE(taken) << taken.error().what;
    EXPECT_TRUE(taken->Exists());
    EXPECT_FALSE(plan_.made_ahead());
    EXPECT_EQ(OwnDirectories(), ahead) << "no other was made";
  }
  EXPECT_TRUE(OwnDirectories().empty());
}

TEST_F(ControlGroups, OneThatSomebodyRemovedIsNotTaken) {
  ASSERT_TRUE(plan_.MakeAhead({}));
  for (const auto& directory : OwnDirectories()) ASSERT_EQ(::rmdir(directory.c_str()), 0);
  const auto made = plan_.Make();
  ASSERT_TRUE(made) << made.error().what;
  EXPECT_TRUE(made->Exists());
}

TEST_F(ControlGroups, NothingMadeAheadStaysBehind) {
  ASSERT_TRUE(plan_.MakeAhead({}));
  plan_.Sweep();
  EXPECT_TRUE(OwnDirectories().empty());
  EXPECT_FALSE(plan_.made_ahead());
}

TEST_F(ControlGroups, ThoseOfAJailThatRunsAreNotSwept) {
  ASSERT_TRUE(plan_.MakeAhead({}));
  const auto ahead = OwnDirectories();
  ASSERT_FALSE(ahead.empty());
  const struct timespec long_ago[2] = {{.tv_sec = 1, .tv_nsec = 0}, {.tv_sec = 1, .tv_nsec = 0}};
  for (const auto& directory : ahead) ::utimensat(AT_FDCWD, directory.c_str(), long_ago, 0);
  CgroupPlan::Find(::geteuid() == 0, "").Sweep();
  EXPECT_EQ(OwnDirectories(), ahead);
}

}  // namespace
}  // namespace writ::isolation::process
