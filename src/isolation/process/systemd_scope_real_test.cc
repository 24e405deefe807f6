#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "isolation/process/fake_bus_for_test.h"
#include "isolation/process/systemd_scope.h"

namespace writ::isolation::process {
namespace {

constexpr char kSystemd[] = "/usr/lib/systemd/systemd";
constexpr char kHierarchy[] = "/sys/fs/cgroup";
constexpr uid_t kUser = 65534;  // has a password entry, which the bus daemon insists on

bool BecomeUser() {
  return ::setgroups(0, nullptr) == 0 && ::setresgid(kUser, kUser, kUser) == 0 && ::setresuid(kUser, kUser, kUser) == 0;
}

/// PID 1 of its own namespaces: a cgroup v2 hierarchy of which `group` belongs to the user, whose systemd runs in it.
/// Returns what was found: the scope's directory and controllers, or an error.
std::string AskARealSystemd(const std::string& runtime, const std::string& group) {
  if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return "skip private mounts";
  if (::mount("proc", "/proc", "proc", 0, nullptr) != 0) return "skip mount proc";
  struct statfs mounted {};
  if (::statfs(kHierarchy, &mounted) != 0) return "skip no cgroups";
  if (mounted.f_type != CGROUP2_SUPER_MAGIC && ::mount("none", kHierarchy, "cgroup2", 0, nullptr) != 0)
    return "skip mount cgroup2";
  // systemd starts for a user only where the machine looks as if systemd had booted it.
  if (::mount("none", "/run", "tmpfs", 0, nullptr) != 0) return "skip mount run";
  std::filesystem::create_directories("/run/systemd/system");
  const std::string place = std::string(kHierarchy) + "/" + group, leaf = place + "/init";
  std::error_code trouble;
  if (!std::filesystem::create_directory(place, trouble)) return "skip make cgroup";
  // Fails where other hierarchies hold the controllers; see below.
  std::ofstream(place + "/cgroup.subtree_control") << "+memory +pids +cpu" << std::flush;
  if (!std::filesystem::create_directory(leaf, trouble)) return "skip make cgroup";
  for (const std::string& path : {place, leaf}) {
    for (const char* file : {"", "/cgroup.procs", "/cgroup.subtree_control", "/cgroup.threads"})
      if (::chown((path + file).c_str(), kUser, kUser) != 0) return "skip hand over cgroup";
  }
  if (!(std::ofstream(leaf + "/cgroup.procs") << ::getpid() << std::flush)) return "skip enter cgroup";
  if (::chown(runtime.c_str(), kUser, kUser) != 0) return "skip hand over runtime directory";
  std::filesystem::remove(runtime + "/systemd");

  const pid_t systemd = ::fork();
  if (systemd == 0) {
    ::setenv("XDG_RUNTIME_DIR", runtime.c_str(), 1);
    ::setenv("HOME", runtime.c_str(), 1);
    const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd < 3; ++fd) ::dup2(null, fd);
    if (!BecomeUser()) ::_exit(126);
    ::execl(kSystemd, kSystemd, "--user", "--unit=basic.target", nullptr);
    ::_exit(127);
  }
  for (int i = 0; i < 1000 && ::access((runtime + "/systemd/private").c_str(), F_OK) != 0; ++i) {
    if (::waitpid(systemd, nullptr, WNOHANG) == systemd) return "skip systemd does not run for a user here";
    ::usleep(10000);
  }
  if (!BecomeUser()) return "skip become the user";
  const pid_t sleeper = ::fork();
  if (sleeper == 0) {
    for (;;) ::pause();
  }
  const auto scope = StartDelegatedScope({.pid = sleeper, .unit = MakeScopeName(), .runtime_dir = runtime},
                                         Deadline::After(Millis{10000}));
  if (!scope) return "error " + scope.error().what;
  std::string seen = scope->directory.substr(0, place.size()) == place ? "inside" : "outside " + scope->directory;
  // What delegation is for: children of our own, and the process moved to one of them. Where other hierarchies hold the
  // controllers that must be said; moving works all the same.
  const bool controlled = std::ranges::find(scope->controllers, "memory") != scope->controllers.end();
  const auto divided = DivideScope(*scope, sleeper);
  if (controlled != divided.has_value()) return "error divide: " + (divided ? "without controllers" : divided.error().what);
  if (!controlled) {
    if (::mkdir((scope->directory + "/main").c_str(), 0755) != 0) return "error mkdir in the scope";
    if (!(std::ofstream(scope->directory + "/main/cgroup.procs") << sleeper << std::flush)) return "error move";
  }
  std::string where;
  std::ifstream cgroup("/proc/" + std::to_string(sleeper) + "/cgroup");
  for (std::string line; std::getline(cgroup, line);)
    if (line.starts_with("0::")) where = line.substr(3);
  if (where.ends_with(".scope/main")) fmt::print(stderr, "[ controllers ] {}\n", controlled ? "delegated" : "elsewhere");
  return where.ends_with(".scope/main") ? seen + ", delegated" : seen + ", but in " + where;
}

TEST(StartScopeReal, ARealSystemdDelegatesAScope) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to start a systemd of another user in namespaces of its own";
  if (::access(kSystemd, X_OK) != 0) GTEST_SKIP() << "needs the package systemd";
  const test::TemporaryRuntime runtime;
  const std::string group = "writ-test-" + std::to_string(::getpid());
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const pid_t outer = ::fork();
  ASSERT_GE(outer, 0);
  if (outer == 0) {
    // The death of PID 1 ends everything in its namespace, systemd and what it started.
    if (::unshare(CLONE_NEWNS | CLONE_NEWPID) != 0) ::_exit(1);
    const pid_t init = ::fork();
    if (init == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      const std::string seen = AskARealSystemd(runtime.path(), group);
      ::_exit(::write(ends[1], seen.data(), seen.size()) == static_cast<ssize_t>(seen.size()) ? 0 : 1);
    }
    ::waitpid(init, nullptr, 0);
    // Its mounts are still here, and the hierarchy is the host's: our part of it, by now without processes, goes.
    const std::string place = std::string(kHierarchy) + "/" + group;
    for (int attempt = 0; attempt < 100 && ::access(place.c_str(), F_OK) == 0; ++attempt) {
      std::vector<std::string> directories = {place};
      std::error_code ignored;
      for (const auto& entry : std::filesystem::recursive_directory_iterator(place, ignored))
        if (entry.is_directory(ignored)) directories.push_back(entry.path());
      for (auto path = directories.rbegin(); path != directories.rend(); ++path) ::rmdir(path->c_str());
      ::usleep(10000);
    }
    ::_exit(::access(place.c_str(), F_OK) == 0 ? 2 : 0);
  }
  ::close(ends[1]);
  std::string seen;
  char buffer[4096];
  for (ssize_t got; (got = ::read(ends[0], buffer, sizeof buffer)) > 0;) seen.append(buffer, static_cast<std::size_t>(got));
  ::close(ends[0]);
  int status = 0;
  ::waitpid(outer, &status, 0);
  EXPECT_EQ(status, 0) << "the test left cgroups behind";
  if (seen.starts_with("skip ")) GTEST_SKIP() << seen.substr(5);
  if (seen.empty()) GTEST_SKIP() << "namespaces of its own are not allowed here";
  EXPECT_EQ(seen, "inside, delegated");
}

}  // namespace
}  // namespace writ::isolation::process
