// What the virtual machine is there for: runs inside it and fails when the machine is not what it promises to be.
#include <gtest/gtest.h>
#include <linux/landlock.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>
#include <sstream>
#include <string>

namespace {

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Runs `body` in a child and returns its exit code.
int InChild(const std::function<int()>& body) {
  const pid_t child = fork();
  if (child == 0) _exit(body());
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/// Directory of this process's cgroup; its parent is delegated to us.
std::string OwnCgroup() {
  const std::string line = ReadFile("/proc/self/cgroup");
  return "/sys/fs/cgroup" + line.substr(line.find("::") + 2, line.find('\n') - line.find("::") - 2);
}

TEST(Machine, HasLandlock) {
  EXPECT_NE(ReadFile("/sys/kernel/security/lsm").find("landlock"), std::string::npos);
  EXPECT_GE(syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION), 1) << strerror(errno);
}

TEST(Machine, HasOnlyCgroupV2WithTheControllersOfTheLimits) {
  struct statfs info = {};
  ASSERT_EQ(statfs("/sys/fs/cgroup", &info), 0);
  EXPECT_EQ(info.f_type, 0x63677270);
  std::istringstream names(ReadFile(OwnCgroup() + "/../cgroup.controllers"));
  const std::string all = " " + std::string(std::istreambuf_iterator<char>(names), {}) + " ";
  for (const char* name : {"cpu", "memory", "pids"}) EXPECT_NE(all.find(name), std::string::npos) << all;
}

TEST(Machine, DelegatesTheParentCgroup) {
  const std::string parent = OwnCgroup() + "/..";
  {
    std::ofstream control(parent + "/cgroup.subtree_control");
    control << "+memory +pids +cpu" << std::flush;
    EXPECT_TRUE(control.good());
  }
  const std::string child = parent + "/probe";
  ASSERT_EQ(mkdir(child.c_str(), 0755), 0) << strerror(errno);
  {
    std::ofstream limit(child + "/memory.max");
    limit << (16 << 20) << std::flush;
    EXPECT_TRUE(limit.good());
  }
  EXPECT_EQ(rmdir(child.c_str()), 0);
}

TEST(Machine, TmpfsHasNoUserAttributes) {
  std::ofstream("/dev/shm/attribute_probe") << "x";
  EXPECT_EQ(setxattr("/dev/shm/attribute_probe", "user.x", "1", 1, 0), -1);
  EXPECT_EQ(errno, EOPNOTSUPP);
  unlink("/dev/shm/attribute_probe");
}

TEST(Machine, LetsUserNamespacesMountAnOverlayAndPivot) {
  const int failed_step = InChild([] {
    const uid_t uid = getuid();
    const gid_t gid = getgid();
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET) != 0) return 1;
    std::ofstream("/proc/self/setgroups") << "deny";
    std::ofstream("/proc/self/uid_map") << "0 " << uid << " 1";
    std::ofstream("/proc/self/gid_map") << "0 " << gid << " 1";
    if (mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return 2;
    if (mount("tmpfs", "/tmp", "tmpfs", 0, nullptr) != 0) return 3;
    for (const char* name : {"/tmp/lower", "/tmp/upper", "/tmp/work", "/tmp/root"}) mkdir(name, 0755);
    if (mount("overlay", "/tmp/root", "overlay", 0,
              "lowerdir=/tmp/lower,upperdir=/tmp/upper,workdir=/tmp/work,userxattr") != 0)
      return 4;
    if (mount("/tmp/root", "/tmp/root", nullptr, MS_BIND, nullptr) != 0) return 5;
    if (chdir("/tmp/root") != 0 || syscall(SYS_pivot_root, ".", ".") != 0) return 6;
    return umount2(".", MNT_DETACH) == 0 ? 0 : 7;
  });
  EXPECT_EQ(failed_step, 0);
}

}  // namespace
