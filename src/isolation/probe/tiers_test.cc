#include "isolation/probe/tiers.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "isolation/probe/render.h"

namespace writ::isolation {
namespace {

const std::vector<std::string> kAll = {"process", "wasm", "oci", "microvm"};

HostReport Everything(const char* caller) {
  HostReport report{"6.18.0 x86_64", caller, {}};
  for (const char* name :
       {"namespace.user", "namespace.mount", "namespace.pid", "namespace.net", "namespace.ipc", "namespace.uts",
        "namespace.cgroup", "namespace.time", "idmap.range", "no_new_privs", "seccomp", "landlock", "keyring",
        "mount.api", "mount.fsopen", "mount.proc", "tmpfs.limits", "overlay.root", "overlay.user", "overlay.tmpfs",
        "nftables.redirect", "cgroup2.memory", "cgroup2.pids", "cgroup2.cpu", "pidfd", "openat2", "memfd.exec",
        "rlimit", "clock", "kvm"})
    report.probes.push_back({name, true, "fine", ""});
  return report;
}

HostReport Without(HostReport report, std::initializer_list<std::string_view> names) {
  for (Probe& probe : report.probes)
    if (std::ranges::find(names, probe.name) != names.end()) probe.ok = false, probe.detail = "tried: no", probe.fix = "f";
  return report;
}

TierVerdict Process(const HostReport& report) { return JudgeTiers(report, kAll).front(); }

TEST(JudgeTiers, AFullHostNeedsNothingAccepted) {
  for (const char* caller : {"root", "user"}) {
    const auto verdicts = JudgeTiers(Everything(caller), kAll);
    ASSERT_EQ(verdicts.size(), 4u);
    for (const TierVerdict& verdict : verdicts) {
      EXPECT_TRUE(verdict.available) << verdict.tier;
      EXPECT_TRUE(verdict.accept.empty()) << verdict.tier;
      EXPECT_TRUE(verdict.notes.empty()) << verdict.tier;
    }
  }
}

TEST(JudgeTiers, Attack47_EachNeededFeatureIsNamedWhenMissing) {
  for (const char* name : {"namespace.user", "namespace.mount", "namespace.pid", "namespace.net", "namespace.ipc",
                           "namespace.uts", "namespace.cgroup", "no_new_privs", "seccomp", "mount.api",
                           "mount.fsopen", "mount.proc", "tmpfs.limits", "pidfd", "openat2", "clock"}) {
    SCOPED_TRACE(name);
    const TierVerdict verdict = Process(Without(Everything("user"), {name}));
    EXPECT_FALSE(verdict.available);
    EXPECT_EQ(verdict.why_not, std::vector<std::string>{std::string(name) + ": tried: no"});
  }
}

TEST(JudgeTiers, Attack47_WhatWasNotProbedCountsAsMissing) {
  const TierVerdict verdict = Process(HostReport{"k", "root", {}});
  EXPECT_FALSE(verdict.available);
  EXPECT_NE(std::ranges::find(verdict.why_not, "seccomp: not probed"), verdict.why_not.end());
}

TEST(JudgeTiers, Attack47_WeakerLimitsAreNamedAndNeverAssumed) {
  const struct {
    const char* why;
    HostReport report;
    const char* accept;
  } cases[] = {
      {"user without subordinate ids", Without(Everything("user"), {"idmap.range"}), "--accept groups=kept"},
      {"user on cgroup v1 only", Without(Everything("user"), {"cgroup2.memory", "cgroup2.pids", "cgroup2.cpu"}),
       "--accept cpu-time=rlimit --accept cpus=affinity --accept memory=rlimit --accept pids=rlimit"},
      {"only one controller is missing", Without(Everything("root"), {"cgroup2.pids"}), "--accept pids=rlimit"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.why);
    const TierVerdict verdict = Process(c.report);
    EXPECT_TRUE(verdict.available);
    EXPECT_EQ(AcceptArguments(verdict), c.accept);
  }
}

TEST(JudgeTiers, CgroupV1ServesRootAndNotUsers) {
  for (const char* caller : {"root", "user"}) {
    HostReport report = Without(Everything(caller), {"cgroup2.memory", "cgroup2.pids", "cgroup2.cpu"});
    for (const char* name : {"cgroup1.memory", "cgroup1.pids", "cgroup1.cpu", "cgroup1.cpuacct"})
      report.probes.push_back({name, true, "fine", ""});
    EXPECT_EQ(Process(report).accept.empty(), std::string_view(caller) == "root");
  }
}

TEST(JudgeTiers, Attack47_AMemoryLimitThatLeavesSwapOutIsNamed) {
  HostReport v1 = Without(Everything("root"), {"cgroup2.memory", "cgroup2.pids", "cgroup2.cpu"});
  for (const char* name : {"cgroup1.memory", "cgroup1.pids", "cgroup1.cpu", "cgroup1.cpuacct"})
    v1.probes.push_back({name, true, "fine", ""});
  v1.probes.push_back({"cgroup1.swap", false, "no memory.memsw.limit_in_bytes, and this host swaps", "f"});
  EXPECT_EQ(AcceptArguments(Process(v1)), "--accept memory=cgroup1-swappiness");

  HostReport v2 = Everything("user");
  v2.probes.push_back({"cgroup2.swap", false, "no memory.swap.max, and this host swaps", "f"});
  EXPECT_EQ(AcceptArguments(Process(v2)), "--accept memory=cgroup2-no-swap-limit");
}

TEST(JudgeTiers, ADelegatedScopeServesUsers) {
  HostReport report = Without(Everything("user"), {"cgroup2.memory", "cgroup2.pids", "cgroup2.cpu"});
  report.probes.push_back({"cgroup2.scope", true, "fine", ""});
  EXPECT_TRUE(Process(report).accept.empty());
}

TEST(JudgeTiers, NoSupplementaryGroupsNeedNoDropping) {
  HostReport report = Without(Everything("user"), {"idmap.range"});
  report.probes.push_back({"groups.none", true, "none", ""});
  EXPECT_TRUE(Process(report).accept.empty());
}

TEST(JudgeTiers, RootNeedsARangeOfIds) {
  EXPECT_FALSE(Process(Without(Everything("root"), {"idmap.range"})).available);
}

TEST(JudgeTiers, WeakerMechanismsMustWorkToo) {
  EXPECT_TRUE(Process(Without(Everything("user"), {"rlimit"})).available);
  EXPECT_FALSE(Process(Without(Everything("user"), {"rlimit", "cgroup2.memory"})).available);
}

TEST(JudgeTiers, NotesOnlyWhatConcernsTheCaller) {
  EXPECT_TRUE(Process(Without(Everything("root"), {"overlay.tmpfs", "overlay.user"})).notes.empty());
  EXPECT_EQ(Process(Without(Everything("user"), {"overlay.tmpfs", "overlay.root", "landlock"})).notes.size(), 2u);
}

TEST(JudgeTiers, TiersThatAreNotBuiltSaySo) {
  const auto verdicts = JudgeTiers(Everything("root"), {"process"});
  EXPECT_TRUE(verdicts[0].available);
  for (std::size_t i = 1; i < verdicts.size(); ++i) {
    EXPECT_FALSE(verdicts[i].available);
    EXPECT_EQ(verdicts[i].why_not, std::vector<std::string>{"not part of this program"});
  }
}

TEST(JudgeTiers, WithoutKvmMicrovmsAreEmulatedAndSaySo) {
  const auto verdicts = JudgeTiers(Without(Everything("root"), {"kvm"}), kAll);
  EXPECT_TRUE(verdicts[3].available);
  EXPECT_EQ(verdicts[3].notes, std::vector<std::string>{"kvm: tried: no; emulated"});
}

TEST(RenderReport, ShowsMissingOnesWithTheirFixAndTheAcceptList) {
  const HostReport report = Without(Everything("user"), {"cgroup2.memory"});
  const std::string screen = RenderReport(report, JudgeTiers(report, {"process"}));
  EXPECT_NE(screen.find("MISSING  cgroup2.memory"), std::string::npos);
  EXPECT_NE(screen.find("fix: f\n"), std::string::npos);
  EXPECT_NE(screen.find("\n  --accept memory=rlimit\n"), std::string::npos);
  EXPECT_NE(screen.find("29 of 30 present"), std::string::npos);
}

TEST(RenderReport, NothingInItReachesTheTerminalRaw) {
  HostReport report = Everything("user");
  report.probes.push_back({"idmap.mount:/tmp/\x1b[2J", false, "a\nok  seccomp", "\xe2\x80\xae"});
  const std::string screen = RenderReport(report, JudgeTiers(report, {"process"}));
  EXPECT_EQ(screen.find('\x1b'), std::string::npos);
  EXPECT_EQ(screen.find("\nok  seccomp"), std::string::npos);
  EXPECT_EQ(screen.find("\xe2\x80\xae"), std::string::npos);
}

}  // namespace
}  // namespace writ::isolation
