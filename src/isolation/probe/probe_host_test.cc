#include "isolation/probe/probe_host.h"

#include <dirent.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "isolation/probe/cgroup_places.h"
#include "isolation/probe/in_child_for_test.h"
#include "isolation/probe/own_namespaces.h"
#include "isolation/probe/tiers.h"

namespace writ::isolation {
namespace {

/// "name: detail | fix" of one probe as a child with less rights saw it; "ok ..." when it was found.
std::string Say(const HostReport& report, std::string_view name) {
  const Probe* probe = report.Find(name);
  if (probe == nullptr) return "not probed";
  return (probe->ok ? "ok " : "missing ") + probe->detail + " | " + probe->fix;
}

std::string ProbeAndSay(std::string_view name) {
  const auto report = ProbeHost({});
  return report ? Say(*report, name) : report.error().what;
}

bool ProcessAvailable(const HostReport& report) { return JudgeTiers(report, {"process"}).front().available; }

TEST(ProbeHost, AnswersEveryNameOnceAndGivesAFixForWhatIsMissing) {
  const auto report = ProbeHost({});
  ASSERT_TRUE(report.has_value()) << report.error().what;
  EXPECT_EQ(report->caller, ::geteuid() == 0 ? "root" : "user");
  std::set<std::string> names;
  for (const Probe& probe : report->probes) {
    EXPECT_TRUE(names.insert(probe.name).second) << probe.name;
    EXPECT_FALSE(probe.detail.empty()) << probe.name;
    if (!probe.ok) {
      EXPECT_FALSE(probe.fix.empty()) << probe.name << ": " << probe.detail;
    }
  }
  for (const char* name : {"namespace.user", "seccomp", "no_new_privs", "landlock", "cgroup2.memory", "kvm", "clock"})
    EXPECT_TRUE(names.contains(name)) << name;
}

TEST(ProbeHost, TheSameHostGivesTheSameDigest) {
  const auto first = ProbeHost({}), second = ProbeHost({});
  ASSERT_TRUE(first && second);
  EXPECT_EQ(*StableBytes(*first), *StableBytes(*second));
}

TEST(ProbeHost, LeavesNothingBehind) {
  const auto count = [](const char* directory) {
    return std::distance(std::filesystem::directory_iterator(directory), std::filesystem::directory_iterator());
  };
  const std::string mounts = ReadSmall("/proc/self/mountinfo");
  const auto descriptors = count("/proc/self/fd");
  const CgroupPlaces places = FindCgroupPlaces(mounts, ReadSmall("/proc/self/cgroup"));
  std::string control;
  if (!places.v2_top.empty()) control = ReadSmall(places.v2_top + "/cgroup.subtree_control");
  ASSERT_TRUE(ProbeHost({.idmap_directories = {"/tmp"}}).has_value());
  EXPECT_EQ(ReadSmall("/proc/self/mountinfo"), mounts);
  EXPECT_EQ(count("/proc/self/fd"), descriptors);
  EXPECT_EQ(ReadSmall("/proc/self/task/" + std::to_string(::getpid()) + "/children"), "");
  std::vector<std::string> parents = {places.v2_own, places.v2_top};
  for (const auto& [controller, place] : places.v1) parents.push_back(place);
  for (const std::string& parent : parents) {
    if (parent.empty()) continue;
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(parent, ignored))
      EXPECT_EQ(entry.path().filename().string().find("writ-probe-"), std::string::npos) << entry.path();
  }
  if (!places.v2_top.empty()) {
    EXPECT_EQ(ReadSmall(places.v2_top + "/cgroup.subtree_control"), control);
  }
}

/// Names of an environment variable, separated by commas.
std::vector<std::string> Names(const char* variable) {
  std::vector<std::string> names;
  const char* text = ::getenv(variable);
  for (std::string_view rest = text == nullptr ? "" : text; !rest.empty();) {
    const std::size_t end = std::min(rest.find(','), rest.size());
    names.emplace_back(rest.substr(0, end));
    rest.remove_prefix(std::min(rest.size(), end + 1));
  }
  return names;
}

TEST(ProbeHost, FindsWhatAKnownMachineHas) {
  const auto present = Names("WRIT_PROBES_PRESENT"), missing = Names("WRIT_PROBES_MISSING");
  if (present.empty() && missing.empty()) GTEST_SKIP() << "nobody says what this machine has (WRIT_PROBES_PRESENT)";
  const auto report = ProbeHost({});
  ASSERT_TRUE(report.has_value()) << report.error().what;
  for (const std::string& name : present) EXPECT_TRUE(report->Has(name)) << name << " " << Say(*report, name);
  for (const std::string& name : missing) EXPECT_FALSE(report->Has(name)) << name << " " << Say(*report, name);
}

TEST(ProbeHost, AsAnotherUserProbesDiffer) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const std::string seen = test::InChild([]() -> std::string {
    if (::setgid(54321) != 0 || ::setuid(54321) != 0) return "setup failed";
    const auto report = ProbeHost({.idmap_directories = {"/tmp"}});
    if (!report) return report.error().what;
    if (report->Find("namespace.net.root") != nullptr) return "root probes made";
    if (report->Find("idmap.mount:/tmp") != nullptr) return "idmapped mounts probed";
    return report->caller + " " + Say(*report, "idmap.range");
  });
  EXPECT_TRUE(seen.starts_with("user missing no range of 65536 for 54321")) << seen;
}

TEST(ProbeHost, Attack47_NamespaceQuotaIsNamed) {
  const std::string seen = test::InChild([]() -> std::string {
    if (auto missing = EnterUserNamespace(0)) return "skip " + missing->detail;
    if (auto why = WriteOnce("/proc/sys/user/max_net_namespaces", "0")) return "skip " + *why;
    const auto report = ProbeHost({});
    if (!report) return report.error().what;
    if (ProcessAvailable(*report)) return "the process tier still counts as available";
    return Say(*report, "namespace.net") + " / " + Say(*report, "namespace.uts");
  });
  if (seen.starts_with("skip ")) GTEST_SKIP() << seen;
  EXPECT_NE(seen.find("missing unshare: No space left on device (user.max_net_namespaces=0)"), std::string::npos) << seen;
  EXPECT_NE(seen.find("sysctl -w user.max_net_namespaces="), std::string::npos) << seen;
  EXPECT_NE(seen.find("/ ok "), std::string::npos) << seen;
}

TEST(ProbeHost, Attack47_CallsAFilterRefusesAreMissing) {
  struct Case {
    const char* why;
    std::vector<std::pair<long, int>> calls;
    const char* probe;
    const char* says;
    bool needed;
  };
  const Case cases[] = {
      {"old kernel", {{SYS_openat2, ENOSYS}}, "openat2", "Function not implemented", true},
      {"container profile", {{SYS_unshare, EPERM}}, "namespace.user", "unshare: Operation not permitted", true},
      {"mount forbidden", {{SYS_mount, EPERM}}, "namespace.mount", "Operation not permitted", true},
      {"mount api missing", {{SYS_move_mount, ENOSYS}}, "mount.api", "not implemented", true},
      {"no pidfd", {{SYS_pidfd_open, ENOSYS}}, "pidfd", "pidfd_open: Function not implemented", true},
      {"no landlock", {{SYS_landlock_create_ruleset, ENOSYS}}, "landlock", "Function not implemented", false},
      {"landlock built in but off", {{SYS_landlock_create_ruleset, EOPNOTSUPP}}, "landlock", "lsm=", false},
      {"no memfd", {{SYS_memfd_create, EPERM}}, "memfd.exec", "memfd_create: Operation not permitted", false},
      {"no timers", {{SYS_timerfd_create, ENOSYS}}, "clock", "timerfd_create", true},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.why);
    const std::string seen = test::InChild([&]() -> std::string {
      if (!test::RefuseCalls(c.calls)) return "filter not installed";
      const auto report = ProbeHost({});
      if (!report) return report.error().what;
      if (c.needed && ProcessAvailable(*report)) return "the process tier still counts as available";
      return Say(*report, c.probe);
    });
    EXPECT_TRUE(seen.starts_with("missing ")) << seen;
    EXPECT_NE(seen.find(c.says), std::string::npos) << seen;
  }
}

TEST(ProbeHost, Attack47_AFilterThatOnlyPretendsIsSeen) {
  // unshare "succeeds" and does nothing, as under a filter that answers for the kernel. A probe that believed it
  // would go on to mount over the host's /tmp and to set its name, so all of it happens in namespaces of the test.
  const std::string seen = test::InChild([]() -> std::string {
    if (::geteuid() == 0) {
      if (auto missing = EnterNamespaces(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWUTS)) return "skip " + missing->detail;
      if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return "skip private mounts";
    }
    const std::string mounts = ReadSmall("/proc/self/mountinfo");
    if (!test::RefuseCalls({{SYS_unshare, 0}})) return "filter not installed";
    const auto report = ProbeHost({});
    if (!report) return report.error().what;
    if (ReadSmall("/proc/self/mountinfo") != mounts) return "a probe mounted outside of a namespace of its own";
    for (const Probe& probe : report->probes)
      if (probe.ok && (probe.name.starts_with("namespace.") || probe.name.starts_with("mount.") ||
                       probe.name.starts_with("overlay.") || probe.name.starts_with("nftables.")))
        return "believed: " + probe.name;
    return Say(*report, "namespace.uts");
  });
  if (seen.starts_with("skip ")) GTEST_SKIP() << seen;
  EXPECT_TRUE(seen.starts_with("missing unshare claims success, but nothing changed")) << seen;
}

TEST(ProbeHost, Attack47_ASeccompThatDoesNothingIsSeen) {
  const std::string seen = test::InChild([]() -> std::string {
    if (!test::RefuseCalls({{SYS_seccomp, 0}})) return "filter not installed";
    return ProbeAndSay("seccomp");
  });
  EXPECT_TRUE(seen.starts_with("missing a filter was installed, but a call it refuses went through")) << seen;
}

TEST(ProbeHost, Attack47_NoCgroupIsSaid) {
  const std::string seen = test::InChild([]() -> std::string {
    if (auto missing = EnterUserNamespace(CLONE_NEWNS)) return "skip " + missing->detail;
    if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return "skip private mounts";
    if (::mount("none", "/sys/fs/cgroup", "tmpfs", MS_RDONLY, nullptr) != 0) return "skip cover cgroups";
    const auto report = ProbeHost({});
    if (!report) return report.error().what;
    const TierVerdict process = JudgeTiers(*report, {"process"}).front();
    return Say(*report, "cgroup2.memory") + " / " + AcceptArguments(process);
  });
  if (seen.starts_with("skip ")) GTEST_SKIP() << seen;
  EXPECT_TRUE(seen.starts_with("missing ")) << seen;
  EXPECT_NE(seen.find("--accept memory=rlimit"), std::string::npos) << seen;
}

TEST(ProbeHost, Attack47_AHungScopeEndsWithTheDeadline) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to become somebody else";
  const std::string seen = test::InChild([]() -> std::string {
    if (::setgid(54321) != 0 || ::setuid(54321) != 0) return "setup failed";
    ProbeOptions options{.deadline_each = Millis{500}};
    options.delegate_scope = [](pid_t, Deadline) -> Result<std::string> {
      for (;;) ::pause();
    };
    const auto report = ProbeHost(options);
    return report ? Say(*report, "cgroup2.scope") : report.error().what;
  });
  EXPECT_TRUE(seen.starts_with("missing no answer in 500 ms; killed")) << seen;
}

}  // namespace
}  // namespace writ::isolation
