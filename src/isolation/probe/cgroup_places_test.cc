#include "isolation/probe/cgroup_places.h"

#include <gtest/gtest.h>

namespace writ::isolation {
namespace {

TEST(FindCgroupPlaces, UnifiedUnderSystemd) {
  const CgroupPlaces places = FindCgroupPlaces(
      "24 1 0:22 / /proc rw,nosuid - proc proc rw\n"
      "35 30 0:29 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n",
      "0::/user.slice/user-1000.slice/session-3.scope\n");
  EXPECT_EQ(places.v2_top, "/sys/fs/cgroup");
  EXPECT_EQ(places.v2_own, "/sys/fs/cgroup/user.slice/user-1000.slice/session-3.scope");
  EXPECT_EQ(places.v2_parent, "/sys/fs/cgroup/user.slice/user-1000.slice");
  EXPECT_TRUE(places.v1.empty());
}

TEST(FindCgroupPlaces, SeparateAndJointV1) {
  const CgroupPlaces places = FindCgroupPlaces(
      "40 30 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
      "41 30 0:31 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
      "42 30 0:32 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n"
      "43 30 0:33 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
      "4:memory:/a/b\n3:cpu,cpuacct:/\n1:name=systemd:/c\n0::/\n");
  EXPECT_EQ(places.v1.at("memory"), "/sys/fs/cgroup/memory/a/b");
  EXPECT_EQ(places.v1.at("cpu"), "/sys/fs/cgroup/cpu,cpuacct");
  EXPECT_EQ(places.v1.at("cpuacct"), "/sys/fs/cgroup/cpu,cpuacct");
  EXPECT_FALSE(places.v1.contains("pids"));
  EXPECT_EQ(places.v2_own, "/sys/fs/cgroup/unified");
  EXPECT_EQ(places.v2_parent, "") << "nothing is above the top";
}

TEST(FindCgroupPlaces, ContainerShowsOnlyItsPart) {
  const CgroupPlaces places = FindCgroupPlaces(
      "9 8 0:9 /docker/12 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
      "9 8 0:9 /docker/1 /sys/fs/cgroup/pids ro - cgroup cgroup rw,pids\n",
      "2:memory:/docker/12/x\n3:pids:/docker/12\n");
  EXPECT_EQ(places.v1.at("memory"), "/sys/fs/cgroup/memory/x");
  EXPECT_FALSE(places.v1.contains("pids")) << "/docker/1 is not above /docker/12";
}

TEST(FindCgroupPlaces, OutsideOfOurNamespaceIsNowhere) {
  const CgroupPlaces places =
      FindCgroupPlaces("9 8 0:9 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", "0::/../other\n");
  EXPECT_EQ(places.v2_top, "/sys/fs/cgroup");
  EXPECT_EQ(places.v2_own, "");
}

TEST(FindCgroupPlaces, ReadsEscapedMountPoints) {
  const CgroupPlaces places =
      FindCgroupPlaces("9 8 0:9 / /mnt/a\\040b rw - cgroup2 none rw\n", "0::/x\n");
  EXPECT_EQ(places.v2_own, "/mnt/a b/x");
}

TEST(FindCgroupPlaces, SurvivesNonsense) {
  for (const char* text : {"", "\n\n", " - ", "a b - c", "1 2 3 4 5 6 - cgroup2", ":", "0:", "::", "0::", "- cgroup2 - -"}) {
    SCOPED_TRACE(text);
    EXPECT_TRUE(FindCgroupPlaces(text, text).v1.empty());
  }
}

}  // namespace
}  // namespace writ::isolation
