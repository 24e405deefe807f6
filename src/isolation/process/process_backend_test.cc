// The process tier's own properties; what every backend shares is in tests/conformance, attacks are in tests/escape.

#include "isolation/process/process_backend.h"

#include <dirent.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "isolation/process/cgroup.h"
#include "isolation/process/text_sink_for_test.h"
#include "isolation/test_user_for_test.h"

namespace writ::isolation::process {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

const Mechanisms kWeakest = {
    {"memory", "rlimit"}, {"pids", "rlimit"}, {"cpus", "affinity"}, {"cpu-time", "rlimit"}, {"groups", "kept"}};

sys::UniqueFd OpenDir(const fs::path& path) { return sys::UniqueFd{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)}; }

Layer MakeLayer(const fs::path& path) {
  Layer layer;
  layer.host_path = path;
  layer.fd = OpenDir(path);
  return layer;
}

std::string ReadText(const char* path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::size_t CountEntries(const char* path) {
  const auto names = sys::ListNames(OpenDir(path), 1'000'000);
  return names ? names->size() : 0;
}

std::size_t CountCellCgroups() {
  std::size_t count = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator at("/sys/fs/cgroup", fs::directory_options::skip_permission_denied, error), end; at != end;
       at.increment(error)) {
    if (at->path().filename().string().starts_with("writ-cell-" + std::to_string(::getpid()))) ++count;
    if (at.depth() > 6) at.disable_recursion_pending();
  }
  return count;
}

class ProcessTier : public testing::Test {
 protected:
  void SetUp() override {
    BecomeTestUser();
    scratch_ = fs::temp_directory_path() / fmt::format("writ-process-{}", ::getpid());
    fs::create_directories(scratch_);
    Open({});
  }
  void TearDown() override { fs::remove_all(scratch_); }

  void Open(JailProgram program) {
    program.path = WRIT_BIN_DIR "/writ-jail";
    auto made = ProcessBackend::Create(program);
    ASSERT_TRUE(made) << made.error().what;
    backend_ = std::move(*made);
  }

  SessionSpec Shell(const std::string& command) {
    SessionSpec spec;
    spec.argv = {"/bin/sh", "-c", command};
    spec.env = {"PATH=/usr/bin:/bin", "HOME=/tmp/home"};
    spec.limits.wall_time = Millis{30'000};
    spec.accepted = kWeakest;
    return spec;
  }

  Result<Outcome> Run(SessionSpec spec) {
    sink_.text.clear();
    session_ = WRIT_TRY("start", backend_->Start(std::move(spec), sink_));
    return session_->Wait(Deadline::After(Millis{60'000}));
  }

  /// Runs a shell command that must succeed, and gives its output.
  std::string Output(const std::string& command) {
    const auto outcome = Run(Shell(command));
    EXPECT_TRUE(outcome) << outcome.error().what;
    if (outcome) {
      EXPECT_EQ(outcome->code, 0) << sink_.text;
    }
    return sink_.text;
  }

  std::string Enforced(const std::string& limit) {
    const auto& enforced = session_->guarantees().enforced;
    const auto found = enforced.find(limit);
    return found == enforced.end() ? "" : found->second;
  }

  fs::path scratch_;
  TextSink sink_;
  std::unique_ptr<ProcessBackend> backend_;
  std::unique_ptr<Session> session_;
};

TEST_F(ProcessTier, SaysWhatItEnforced) {
  Output("true");
  EXPECT_EQ(Enforced("network"), "netns");
  EXPECT_EQ(Enforced("seccomp"), "filter");
  EXPECT_EQ(Enforced("disk"), "tmpfs");
  EXPECT_EQ(Enforced("capabilities"), "none");
  if (::geteuid() == 0) {
    EXPECT_EQ(Enforced("ids"), "own-range");
    EXPECT_EQ(Enforced("groups"), "dropped");
  }
  if (std::getenv("WRIT_VM") != nullptr) {
    // The machine has cgroup v2 delegated to its user, newuidmap, and Landlock.
    for (const char* limit : {"memory", "pids", "cpus", "cpu-time"}) EXPECT_EQ(Enforced(limit), "cgroup2") << limit;
    EXPECT_EQ(Enforced("groups"), "dropped");
    EXPECT_THAT(Enforced("landlock"), HasSubstr("abi-"));
    EXPECT_EQ(Enforced("ids"), ::geteuid() == 0 ? "own-range" : "subordinate-range");
  }
}

TEST_F(ProcessTier, WeakerLimitsNeedAcceptance) {
  EXPECT_TRUE(MissingAcceptance({{"memory", "cgroup2"}, {"pids", "cgroup2"}, {"cpus", "cgroup2"}, {"cpu-time", "cgroup2"}, {"groups", "dropped"}}, {})
                  .empty());
  EXPECT_EQ(MissingAcceptance({{"groups", "kept"}}, {}), kWeakest);
  EXPECT_TRUE(MissingAcceptance({{"groups", "kept"}}, kWeakest).empty());
  EXPECT_EQ(MissingAcceptance({{"groups", "none"}}, {{"memory", "watch"}, {"pids", "rlimit"}, {"cpus", "affinity"}, {"cpu-time", "rlimit"}}),
            (Mechanisms{{"memory", "rlimit"}}));
  Mechanisms v1 = {{"memory", "cgroup1-swappiness"}, {"pids", "cgroup1"}, {"cpus", "cgroup1"}, {"cpu-time", "cgroup1"}};
  EXPECT_EQ(MissingAcceptance(v1, {}), (Mechanisms{{"memory", "cgroup1-swappiness"}}));
  EXPECT_EQ(MissingAcceptance(v1, {{"memory", "rlimit"}}), (Mechanisms{{"memory", "cgroup1-swappiness"}}));
  EXPECT_TRUE(MissingAcceptance(v1, {{"memory", "cgroup1-swappiness"}}).empty());
  v1["memory"] = "cgroup1";
  EXPECT_TRUE(MissingAcceptance(v1, {}).empty());
}

TEST(MemoryMechanism, IsWholeOnlyWhereSwapIsLimitedOrAbsent) {
  EXPECT_EQ(MemoryMechanism(CgroupVersion::kV1, true, true), "cgroup1");
  EXPECT_EQ(MemoryMechanism(CgroupVersion::kV1, false, false), "cgroup1");
  EXPECT_EQ(MemoryMechanism(CgroupVersion::kV1, false, true), "cgroup1-swappiness");
  EXPECT_EQ(MemoryMechanism(CgroupVersion::kV2, true, true), "cgroup2");
  EXPECT_EQ(MemoryMechanism(CgroupVersion::kV2, false, false), "cgroup2");
  EXPECT_EQ(MemoryMechanism(CgroupVersion::kV2, false, true), "cgroup2-no-swap-limit");
}

TEST_F(ProcessTier, ZeroNeverMeansUnlimited) {
  for (auto change : {+[](Limits& l) { l.memory_bytes = 0; }, +[](Limits& l) { l.pids = 0; }, +[](Limits& l) { l.wall_time = Millis{0}; },
                      +[](Limits& l) { l.inodes = 0; }, +[](Limits& l) { l.stdout_bytes = 0; }, +[](Limits& l) { l.cpu_millis = 0; }}) {
    SessionSpec spec = Shell("true");
    change(spec.limits);
    const auto accepted = backend_->Accepts(spec);
    ASSERT_FALSE(accepted);
    EXPECT_THAT(accepted.error().what, HasSubstr("zero never means unlimited"));
  }
}

TEST_F(ProcessTier, MissingProgramsEndAsInAShell) {
  SessionSpec missing = Shell("");
  missing.argv = {"no-such-program"};
  auto outcome = Run(std::move(missing));
  ASSERT_TRUE(outcome) << outcome.error().what;
  EXPECT_EQ(outcome->how, Termination::kNotStarted);
  EXPECT_EQ(outcome->code, 127);
  SessionSpec directory = Shell("");
  directory.argv = {"/usr"};
  outcome = Run(std::move(directory));
  ASSERT_TRUE(outcome) << outcome.error().what;
  EXPECT_EQ(outcome->how, Termination::kNotStarted);
  EXPECT_EQ(outcome->code, 126);
}

TEST_F(ProcessTier, AMissingWorkingDirectoryNamesTheStep) {
  SessionSpec spec = Shell("true");
  spec.cwd = "/work/nowhere";
  const auto outcome = Run(std::move(spec));
  ASSERT_FALSE(outcome);
  EXPECT_THAT(outcome.error().what, HasSubstr("enter the working directory"));
}

TEST_F(ProcessTier, InputsAreReadOnlyAndTheirHostPathIsHidden) {
  fs::create_directories(scratch_ / "staged");
  std::ofstream(scratch_ / "staged" / "data.txt") << "given\n";
  SessionSpec spec = Shell("cat /in/data.txt; touch /in/data.txt /in/x 2>/dev/null && echo WRITTEN; grep -c " + scratch_.filename().string() +
                           " /proc/self/mountinfo; true");
  spec.inputs = MakeLayer(scratch_ / "staged");
  const auto outcome = Run(std::move(spec));
  ASSERT_TRUE(outcome) << outcome.error().what;
  EXPECT_EQ(sink_.text, "given\n0\n");
}

TEST_F(ProcessTier, ToolsAreReadOnlyExecutableAndShownWithWhateverElseIs) {
  for (const char* name : {"shown", "staged", "agent/bin"}) fs::create_directories(scratch_ / name);
  std::ofstream(scratch_ / "shown" / "work.txt") << "work\n";
  std::ofstream(scratch_ / "staged" / "data.txt") << "data\n";
  std::ofstream(scratch_ / "agent" / "bin" / "hello") << "#!/bin/sh\necho agent\n";
  fs::permissions(scratch_ / "agent" / "bin" / "hello", fs::perms(0755));
  for (const auto& [workspace, inputs] : {std::pair{true, true}, {true, false}, {false, true}, {false, false}}) {
    SessionSpec spec = Shell("hello; cat /work/work.txt /in/data.txt 2>/dev/null; touch /opt/agents/x 2>/dev/null && echo WRITTEN; grep -c " +
                             scratch_.filename().string() + " /proc/self/mountinfo; true");
    spec.env = {"PATH=/opt/agents/bin:/usr/bin:/bin"};
    if (workspace) spec.workspace = MakeLayer(scratch_ / "shown");
    if (inputs) spec.inputs = MakeLayer(scratch_ / "staged");
    spec.tools = MakeLayer(scratch_ / "agent");
    sink_.text.clear();
    const auto outcome = Run(std::move(spec));
    ASSERT_TRUE(outcome) << outcome.error().what;
    EXPECT_EQ(sink_.text, std::string("agent\n") + (workspace ? "work\n" : "") + (inputs ? "data\n" : "") + "0\n");
  }
  EXPECT_EQ(Output("ls /opt/agents"), "");
}

TEST_F(ProcessTier, FilesOfTheRunAreReadOnlyAndOnlyItsOwn) {
  auto spec = Shell("cat /run/writ/note /run/writ/other; ls /run /run/writ; (echo x > /run/writ/note) 2>&1; (rm /run/writ/note) 2>&1");
  spec.files = {{"note", "first\n"}, {"other", "second\n"}};
  const auto outcome = Run(std::move(spec));
  ASSERT_TRUE(outcome) << outcome.error().what;
  EXPECT_THAT(sink_.text, HasSubstr("first\nsecond\n/run:\nwrit\n\n/run/writ:\nnote\nother\n"));
  EXPECT_THAT(sink_.text, HasSubstr("Read-only file system"));
  EXPECT_EQ(Output("ls /run"), "");

  auto escaping = Shell("true");
  escaping.files = {{"../note", ""}};
  const auto refused = Run(std::move(escaping));
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().what, HasSubstr("is no name for a file of /run/writ"));
}

TEST_F(ProcessTier, ALayerThatWasExchangedIsRefused) {
  fs::create_directories(scratch_ / "shown");
  fs::create_directories(scratch_ / "other");
  SessionSpec spec = Shell("true");
  spec.workspace = MakeLayer(scratch_ / "shown");
  spec.workspace->host_path = scratch_ / "other";
  const auto outcome = Run(std::move(spec));
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, Code::kDenied);
}

TEST_F(ProcessTier, AnotherRootReplacesTheSystemDirectories) {
  const fs::path root = scratch_ / "root";
  fs::create_directories(root / "bin");
  fs::create_directories(root / "etc");
  if (!fs::exists("/bin/busybox")) GTEST_SKIP() << "no static busybox to make a root file system of";
  fs::copy_file(fs::canonical("/bin/busybox"), root / "bin" / "sh");
  std::ofstream(root / "etc" / "release") << "other\n";
  SessionSpec spec = Shell("while read line; do echo $line; done < /etc/release; (echo x > /bin/y) 2>/dev/null || echo read-only; echo ok > /out/z && echo out");
  spec.root = MakeLayer(root);
  const auto outcome = Run(std::move(spec));
  ASSERT_TRUE(outcome) << outcome.error().what;
  EXPECT_EQ(sink_.text, "other\nread-only\nout\n");
}

TEST_F(ProcessTier, LaterCellsHaveTheRootOfTheFirst) {
  // Later ones get a copy of what the jail built meanwhile, where the kernel can map its ids; /dev of it is nobody's.
  const std::string look =
      "stat -c '%n %a %u %g %F' / /etc /etc/passwd /etc/hosts /etc/resolv.conf /proc /tmp /work /in /out /run /opt /.cell /usr /dev/shm; "
      "ls -a / /etc /dev; cat /etc/passwd /etc/group /etc/hosts /etc/resolv.conf; cut -d' ' -f5,6 /proc/self/mountinfo | sed s/,idmapped// | sort; "
      "ls /.cell 2>&1; chmod 755 /.cell 2>&1; touch /etc/x /x /dev/x /usr/x 2>&1; cat /proc/keys 2>&1; echo end";
  const std::string first = Output(look);
  EXPECT_THAT(first, HasSubstr("/.cell 0 "));
  EXPECT_THAT(first, HasSubstr("Read-only file system"));
  for (int later = 0; later < 3; ++later) {
    session_.reset();
    ::usleep(20'000);  // time for the jail to build it: without, the cell has a root of its own, and all holds as well
    EXPECT_EQ(Output(look), first);
  }
}

TEST_F(ProcessTier, ATerminalIsOne) {
  int typed[2];
  ASSERT_EQ(::pipe2(typed, O_CLOEXEC), 0);
  ASSERT_EQ(::write(typed[1], "hello\n", 6), 6);
  ::close(typed[1]);
  SessionSpec spec = Shell("tty; stty size; read line; echo got $line; read more || echo end");
  spec.terminal = SessionSpec::Terminal{33, 101};
  spec.stdin_fd = sys::UniqueFd{typed[0]};
  const auto outcome = Run(std::move(spec));
  ASSERT_TRUE(outcome) << outcome.error().what;
  EXPECT_THAT(sink_.text, HasSubstr("/dev/pts/0"));
  EXPECT_THAT(sink_.text, HasSubstr("33 101"));
  EXPECT_THAT(sink_.text, HasSubstr("got hello"));
  EXPECT_THAT(sink_.text, HasSubstr("end"));
}

TEST_F(ProcessTier, ATerminalIsResized) {
  SessionSpec spec = Shell("trap 'stty size; exit 0' WINCH; echo ready; while :; do sleep 0.05; done");
  spec.terminal = SessionSpec::Terminal{24, 80};
  auto session = backend_->Start(std::move(spec), sink_);
  ASSERT_TRUE(session) << session.error().what;
  for (int i = 0; i < 200 && sink_.text.find("ready") == std::string::npos; ++i) {
    const auto still = (*session)->Wait(Deadline::After(Millis{50}));
    ASSERT_FALSE(still);
  }
  (*session)->Resize({50, 132});
  const auto outcome = (*session)->Wait(Deadline::After(Millis{20'000}));
  ASSERT_TRUE(outcome) << outcome.error().what;
  EXPECT_THAT(sink_.text, HasSubstr("50 132"));
}

TEST_F(ProcessTier, WarmCellsTakeTheLimitsOfEachRun) {
  Open({.path = "", .warm_cells = 2, .delegated_cgroup = ""});
  for (const std::uint64_t mib : {8, 24, 8}) {
    SessionSpec spec = Shell("dd if=/dev/zero of=/tmp/fill bs=1M count=64 2>/dev/null; stat -c %s /tmp/fill");
    spec.limits.disk_bytes = mib << 20;
    const auto outcome = Run(std::move(spec));
    ASSERT_TRUE(outcome) << outcome.error().what;
    EXPECT_EQ(std::stoull(sink_.text), mib << 20);
  }
}

TEST_F(ProcessTier, ACellPreparedAheadTakesLayersToo) {
  Open({.path = "", .warm_cells = 1, .refill = false, .delegated_cgroup = ""});
  fs::create_directories(scratch_ / "staged");
  fs::create_directories(scratch_ / "shown");
  std::ofstream(scratch_ / "staged" / "data.txt") << "given\n";
  std::ofstream(scratch_ / "shown" / "file.txt") << "shown\n";
  for (int i = 0; i < 2; ++i) {  // the first prepared ahead, the second made for it
    SessionSpec spec = Shell("cat /in/data.txt; ls /work");
    spec.inputs = MakeLayer(scratch_ / "staged");
    auto outcome = Run(std::move(spec));
    ASSERT_TRUE(outcome) << outcome.error().what;
    EXPECT_EQ(sink_.text, "given\n");
    session_.reset();
    Open({.path = "", .warm_cells = 1, .refill = false, .delegated_cgroup = ""});
    spec = Shell("cat /in/data.txt /work/file.txt");
    spec.inputs = MakeLayer(scratch_ / "staged");
    spec.workspace = MakeLayer(scratch_ / "shown");
    spec.limits.memory_bytes = 64 << 20;
    outcome = Run(std::move(spec));
    ASSERT_TRUE(outcome) << outcome.error().what;
    EXPECT_EQ(sink_.text, "given\nshown\n");
  }
}

TEST_F(ProcessTier, RunsLeaveNothingBehind) {
  backend_.reset();
  const std::size_t descriptors = CountEntries("/proc/self/fd");
  const std::string mounts = ReadText("/proc/self/mountinfo");
  Open({.path = "", .warm_cells = 1, .delegated_cgroup = ""});
  for (int i = 0; i < 60; ++i) Output("sleep 1000 & echo x > /work/y; true");
  session_.reset();
  backend_.reset();
  EXPECT_EQ(CountEntries("/proc/self/fd"), descriptors);
  EXPECT_EQ(ReadText("/proc/self/mountinfo"), mounts);
  int status = 0;
  EXPECT_EQ(::waitpid(-1, &status, WNOHANG), -1) << "a child process is left";
  EXPECT_EQ(CountCellCgroups(), 0u);
}

TEST_F(ProcessTier, GuestsDieWithAKilledLauncher) {
  int held[2];  // the guest holds the reading end as its standard input and reads nothing
  ASSERT_EQ(::pipe2(held, O_CLOEXEC), 0);
  int told[2];
  ASSERT_EQ(::pipe2(told, O_CLOEXEC), 0);
  const pid_t launcher = ::fork();
  if (launcher == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // a test that fails half-way leaves no launcher behind
    auto backend = ProcessBackend::Create({.path = WRIT_BIN_DIR "/writ-jail", .warm_cells = 0, .delegated_cgroup = ""});
    if (!backend) ::_exit(1);
    SessionSpec spec = Shell("(setsid sleep 1000 &) ; sleep 1000");
    spec.stdin_fd = sys::UniqueFd{held[0]};
    ::close(held[1]);
    auto session = (*backend)->Start(std::move(spec), sink_);
    [[maybe_unused]] const ssize_t wrote = ::write(told[1], session ? "+" : "-", 1);
    ::pause();
  }
  ::close(held[0]);
  ::close(told[1]);
  char started = 0;
  ASSERT_EQ(::read(told[0], &started, 1), 1);
  ASSERT_EQ(started, '+');
  ASSERT_EQ(::kill(launcher, SIGKILL), 0);
  ASSERT_EQ(::waitpid(launcher, nullptr, 0), launcher);
  // Once no process of the guest is left, nobody can read any more.
  ::signal(SIGPIPE, SIG_IGN);
  bool gone = false;
  for (int i = 0; i < 500 && !gone; ++i) {
    gone = ::write(held[1], "x", 1) < 0;
    if (!gone) ::usleep(20'000);
  }
  EXPECT_TRUE(gone);
  ::close(held[1]);
}

}  // namespace
}  // namespace writ::isolation::process
