#include "isolation/probe/probe_runner.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <stdexcept>

#include "isolation/probe/in_child_for_test.h"

namespace writ::isolation {
namespace {

using std::chrono::milliseconds;

Probe One(ProbeSpec spec, Millis each = Millis{5000}) {
  std::vector<ProbeSpec> specs;
  specs.push_back(std::move(spec));
  auto probes = RunProbes(specs, each);
  EXPECT_TRUE(probes.has_value());
  EXPECT_EQ(probes->size(), 1u);
  return probes->empty() ? Probe{} : probes->front();
}

bool IsAlive(pid_t pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(stat, text);
  const std::size_t at = text.rfind(')');
  return at != std::string::npos && text.size() > at + 2 && text[at + 2] != 'Z';
}

TEST(RunProbes, KeepsWhatWasFound) {
  EXPECT_EQ(One({"a", [] { return Finding::Ok("fine"); }}), (Probe{"a", true, "fine", ""}));
  EXPECT_EQ(One({"b", [] { return Finding::Missing("no", "do it"); }}), (Probe{"b", false, "no", "do it"}));
}

TEST(RunProbes, Attack47_CrashIsMissing) {
  const Probe probe = One({"crash", []() -> Finding { ::raise(SIGKILL), ::pause(); return Finding::Ok("never"); }});
  EXPECT_FALSE(probe.ok);
  EXPECT_EQ(probe.detail, "probe died of signal 9");
}

TEST(RunProbes, Attack47_ExceptionIsMissing) {
  const Probe probe = One({"throw", []() -> Finding { throw std::runtime_error("odd"); }});
  EXPECT_FALSE(probe.ok);
  EXPECT_EQ(probe.detail, "probe failed: odd");
}

TEST(RunProbes, Attack47_SilenceIsMissing) {
  std::vector<ProbeSpec> specs;
  specs.emplace_back(std::vector<std::string>{"x", "y", "z"},
                     [](Findings& findings) { findings.Add("y", Finding::Ok("")); });
  const auto probes = RunProbes(specs, Millis{5000});
  ASSERT_TRUE(probes.has_value());
  ASSERT_EQ(probes->size(), 3u);
  EXPECT_FALSE((*probes)[0].ok);
  EXPECT_TRUE((*probes)[1].ok);
  EXPECT_FALSE((*probes)[2].ok);
  EXPECT_EQ((*probes)[2].detail, "probe gave no answer");
}

TEST(RunProbes, Attack47_HangIsKilledWithEverythingItStarted) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  // The probe closes inherited descriptors, so the number of the grandchild comes back through a file.
  char path[] = "/tmp/writ_probe_XXXXXX";
  const int file = ::mkstemp(path);
  ASSERT_GE(file, 0);
  const std::string name = path;
  const auto start = std::chrono::steady_clock::now();
  const Probe probe = One({"hang", [name]() -> Finding {
                             const pid_t inner = ::fork();
                             if (inner == 0) {
                               ::signal(SIGTERM, SIG_IGN);
                               for (;;) ::pause();
                             }
                             std::ofstream(name) << inner << std::flush;
                             for (;;) ::pause();
                           }},
                          Millis{200});
  EXPECT_FALSE(probe.ok);
  EXPECT_EQ(probe.detail, "no answer in 200 ms; killed");
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
  pid_t inner = 0;
  std::ifstream(name) >> inner;
  ::unlink(path);
  ::close(file), ::close(ends[0]), ::close(ends[1]);
  ASSERT_GT(inner, 0);
  for (int i = 0; i < 200 && IsAlive(inner); ++i) ::usleep(10000);
  EXPECT_FALSE(IsAlive(inner));
}

TEST(RunProbes, CleansUpAfterTheChildIsDead) {
  char path[] = "/tmp/writ_probe_XXXXXX";
  ASSERT_NE(::mkdtemp(path), nullptr);
  const std::string left = std::string(path) + "/left";
  std::vector<ProbeSpec> specs;
  specs.emplace_back(
      std::vector<std::string>{"leaves"},
      [left](Findings&) {
        ::mkdir(left.c_str(), 0700);
        ::raise(SIGKILL);
      },
      [left] { ::rmdir(left.c_str()); });
  ASSERT_TRUE(RunProbes(specs, Millis{5000}).has_value());
  EXPECT_EQ(::rmdir(path), 0);
}

TEST(RunProbes, ChildHoldsNoDescriptorOfTheCaller) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const Probe probe = One({"fds", [inherited = ends[1]] {
                             if (inherited == 3) return Finding::Ok("");
                             return ::fcntl(inherited, F_GETFD) == -1 ? Finding::Ok("")
                                                                       : Finding::Missing("inherited", "");
                           }});
  ::close(ends[0]), ::close(ends[1]);
  EXPECT_TRUE(probe.ok) << probe.detail;
}

TEST(RunProbes, BoundsWhatAProbeSays) {
  const Probe probe = One({"long", [] { return Finding::Missing(std::string(1u << 20, 'x'), std::string("a\0b", 3)); }});
  EXPECT_EQ(probe.detail.size(), 512u);
  EXPECT_EQ(probe.fix, "ab");
  std::vector<ProbeSpec> specs;
  specs.emplace_back(std::vector<std::string>{"many"}, [](Findings& findings) {
    for (int i = 0; i < 10000; ++i) findings.Add("n" + std::to_string(i), Finding::Ok(std::string(9999, 'y')));
  });
  const auto probes = RunProbes(specs, Millis{5000});
  ASSERT_TRUE(probes.has_value());
  EXPECT_FALSE(probes->front().ok);
}

TEST(RunProbes, Attack47_NoProcessLeftToForkIsMissing) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to become an id with no processes";
  const std::string seen = test::InChild([]() -> std::string {
    const rlimit one{1, 1};
    if (::setrlimit(RLIMIT_NPROC, &one) != 0 || ::setgid(54321) != 0 || ::setuid(54321) != 0) return "setup failed";
    const Probe probe = One({"a", [] { return Finding::Ok("fine"); }});
    return std::string(probe.ok ? "ok " : "missing ") + probe.detail;
  });
  EXPECT_EQ(seen, "missing probe could not be started: fork: Resource temporarily unavailable");
}

TEST(RunStep, ReportsHowAChildEnded) {
  EXPECT_EQ(RunStep([] { return 7; }), 7);
  EXPECT_EQ(RunStep([] { return ::raise(SIGTERM), ::pause(); }), 128 + SIGTERM);
}

}  // namespace
}  // namespace writ::isolation
