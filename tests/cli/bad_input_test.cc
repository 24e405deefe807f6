// Wrong files, wrong directories, broken stores: a clear error or correct work, and nothing lost.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "harness.h"

namespace writ::cli_test {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::Not;

/// One line, so that no message can pretend to be two.
::testing::AssertionResult IsOneLine(const std::string& text) {
  const bool one = !text.empty() && text.find('\n') == text.size() - 1;
  return one ? ::testing::AssertionSuccess() : ::testing::AssertionFailure() << "not one line: " << text;
}

void ExpectRefused(const Ended& ended, const ::testing::Matcher<std::string>& says) {
  EXPECT_EQ(ended.status, 125) << ended.err;
  EXPECT_EQ(ended.out, "");
  EXPECT_TRUE(IsOneLine(ended.err));
  EXPECT_THAT(ended.err, ::testing::StartsWith("writ: run: "));
  EXPECT_THAT(ended.err, says);
}

TEST(BadInput, Policies) {
  const Machine machine;
  ExpectRefused(machine.Run({"run", "--policy", machine.File("none.yaml"), "--", "true"}), HasSubstr("none.yaml"));
  ExpectRefused(machine.Run({"run", "--policy", machine.File(""), "--", "true"}), HasSubstr("regular file"));
  const std::string unknown = machine.Write("unknown.yaml", "version: 1\nrunner:\n  allowPools: [local]\n");
  ExpectRefused(machine.Run({"run", "--policy", unknown, "--", "true"}), AllOf(HasSubstr("unknown.yaml:2"), HasSubstr("runners")));
  const std::string shared = machine.Write("shared.yaml", "version: 1\n", 0666);
  ExpectRefused(machine.Run({"run", "--policy", shared, "--", "true"}), HasSubstr("shared.yaml"));
  EXPECT_EQ(machine.Run({"policy", "check", unknown}).status, 1);
  const canon::Json checked = machine.Json({"policy", "check", "--json", unknown});
  EXPECT_EQ(Member(checked, "ok"), "false");
  EXPECT_FALSE(checked.Find("problems")->array().empty());
  EXPECT_EQ(machine.Run({"policy", "check"}).status, 0);
  EXPECT_EQ(machine.Run({"policy", "show"}).status, 0);
}

TEST(BadInput, UnreadablePolicyOfAnotherUser) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to become somebody else";
  const Machine machine;
  const std::string policy = machine.Write("secret.yaml", "version: 1\n", 0600);
  ASSERT_EQ(::chmod(machine.File("").c_str(), 0755), 0);
  std::filesystem::create_directory(machine.File("home"));
  ASSERT_EQ(::chown(machine.File("home").c_str(), 65534, 65534), 0);
  const Ended ended = machine.Run({"policy", "check", policy}, {.env = {{"WRIT_STATE", machine.File("home/state")}}, .in_child = [] {
    if (::setgid(65534) != 0 || ::setuid(65534) != 0) ::_exit(93);
  }});
  if (ended.status == 92) GTEST_SKIP() << "the build directory is not readable to others";
  EXPECT_EQ(ended.status, 1) << ended.err;
  EXPECT_THAT(ended.err, AllOf(HasSubstr("secret.yaml"), HasSubstr("ermission denied")));
}

TEST(BadInput, DirectoriesAndFilesThatAreNotThere) {
  const Machine machine;
  const std::string none = machine.File("none");
  ExpectRefused(machine.Run({"run", "--workspace", none, "--", "true"}), HasSubstr("none"));
  ExpectRefused(machine.Run({"run", "--root", none, "--", "true"}), HasSubstr("none"));
  ExpectRefused(machine.Run({"run", "--input", none, "--", "true"}), HasSubstr("none"));
  const std::string file = machine.Write("file", "x");
  ExpectRefused(machine.Run({"run", "--workspace", file, "--", "true"}), HasSubstr("file"));
  EXPECT_FALSE(std::filesystem::exists(machine.state() + "/runs/none"));
  const Ended missing = machine.Run({"canon", none});
  EXPECT_EQ(missing.status, 1);
  EXPECT_TRUE(IsOneLine(missing.err));
}

TEST(BadInput, RootMeetsTheFilesOfAnotherUser) {
  WRIT_NEEDS_RUNS();
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to give a file away";
  const Machine machine;
  std::filesystem::create_directory(machine.File("theirs"));
  const std::string file = machine.Write("theirs/private", "theirs", 0600);
  ASSERT_EQ(::chown(file.c_str(), 4242, 4242), 0);
  for (const std::string& input : {file, machine.File("theirs")}) {
    ExpectRefused(machine.Run({"run", "--input", input, "--", "true"}),
                  AllOf(HasSubstr("private"), HasSubstr("Permission denied"), HasSubstr("gives up root's right")));
  }
  // A workspace is shown as it is: what the caller could not read, the job cannot either.
  const Ended run = machine.Run({"run", "-q", "--workspace", machine.File("theirs"), "--", "cat", "private"});
  EXPECT_EQ(run.status, 1) << run.err;
  EXPECT_EQ(run.out, "");
}

TEST(BadInput, Attack18_WorkspaceAndStateDoNotOverlap) {
  WRIT_NEEDS_RUNS();
  const Machine machine;
  ASSERT_EQ(machine.Run({"run", "-q", "--", "true"}).status, 0);
  ExpectRefused(machine.Run({"run", "--workspace", machine.File(""), "--", "true"}), HasSubstr("state"));
  ExpectRefused(machine.Run({"run", "--workspace", machine.state(), "--", "true"}), HasSubstr("state"));
  const std::string alias = machine.File("alias");
  std::filesystem::create_directory_symlink(machine.state(), alias);
  ExpectRefused(machine.Run({"run", "--workspace", alias, "--", "true"}), HasSubstr("state"));
  ExpectRefused(machine.Run({"run", "--output", "x", "--out-dir", machine.state(), "--", "touch", "/out/x"}), HasSubstr("state"));
}

TEST(BadInput, KeyWithTheWrongMode) {
  WRIT_NEEDS_RUNS();
  const Machine machine;
  ASSERT_EQ(machine.Run({"keys"}).status, 0);
  const std::string key = machine.state() + "/keys/plane.key.pem";
  struct stat status{};
  ASSERT_EQ(::stat(key.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600u);
  ASSERT_EQ(::chmod(key.c_str(), 0644), 0);
  ExpectRefused(machine.Run({"run", "--", "true"}), AllOf(HasSubstr("plane.key.pem"), HasSubstr("chmod 600")));
  ASSERT_EQ(::chmod(key.c_str(), 0600), 0);
  EXPECT_EQ(machine.Run({"run", "-q", "--", "true"}).status, 0);
}

TEST(BadInput, CorruptDatabase) {
  WRIT_NEEDS_RUNS();
  const Machine machine;
  ASSERT_EQ(machine.Run({"run", "-q", "--", "true"}).status, 0);
  std::string database;
  for (const auto& entry : std::filesystem::directory_iterator(machine.state())) {
    const std::string name = entry.path().filename();
    if (name.ends_with(".db") || name.ends_with(".sqlite")) database = entry.path();
    if (name.ends_with("-wal")) std::filesystem::remove(entry.path());
  }
  ASSERT_NE(database, "");
  const std::string garbage(8192, 'x');
  const sys::UniqueFd file(::open(database.c_str(), O_WRONLY | O_CLOEXEC));
  ASSERT_EQ(::pwrite(file.get(), garbage.data(), garbage.size(), 0), static_cast<ssize_t>(garbage.size()));
  ExpectRefused(machine.Run({"run", "--", "true"}), HasSubstr(std::filesystem::path(database).filename().string()));
  const Ended list = machine.Run({"list"});
  EXPECT_EQ(list.status, 1);
  EXPECT_TRUE(IsOneLine(list.err));
  struct stat status{};
  ASSERT_EQ(::stat(database.c_str(), &status), 0);
  EXPECT_GE(status.st_size, 8192) << "a broken database is kept for whoever repairs it";
}

/// Makes a mount namespace of the child's own; the mount is gone with it.
void InOwnMountNamespace(const std::string& directory, const char* options, unsigned long flags) {
  if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      ::mount("tmpfs", directory.c_str(), "tmpfs", flags, options) != 0) {
    ::_exit(94);
  }
}

TEST(BadInput, FullDisk) {
  WRIT_NEEDS_RUNS();
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to mount";
  const Machine machine;
  const std::string state = machine.state();
  std::filesystem::create_directory(state);
  // Too small for a database; room for nothing.
  const Ended full = machine.Run({"run", "--", "true"}, {.in_child = [&] { InOwnMountNamespace(state, "size=8k,mode=0700", 0); }});
  ASSERT_NE(full.status, 94) << "cannot mount here";
  EXPECT_EQ(full.status, 125);
  EXPECT_THAT(full.err, AnyOf(HasSubstr("No space left"), HasSubstr("full")));
  // Room for the store, not for what the job writes: the run is not lost silently.
  const Ended output = machine.Run({"run", "--", "head", "-c", "8000000", "/dev/urandom"}, {.in_child = [&] { InOwnMountNamespace(state, "size=2m,mode=0700", 0); }});
  EXPECT_EQ(output.status, 125) << output.err;
  EXPECT_THAT(output.err, AnyOf(HasSubstr("No space left"), HasSubstr("full")));
}

TEST(BadInput, ReadOnlyState) {
  WRIT_NEEDS_RUNS();
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to mount";
  const Machine machine;
  ASSERT_EQ(machine.Run({"run", "-q", "--", "echo", "kept"}).status, 0);
  const std::string state = machine.state();
  const auto read_only = [&] {
    if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount(state.c_str(), state.c_str(), nullptr, MS_BIND, nullptr) != 0 ||
        ::mount("none", state.c_str(), nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY, nullptr) != 0) {
      ::_exit(94);
    }
  };
  const Ended run = machine.Run({"run", "--", "true"}, {.in_child = read_only});
  ASSERT_NE(run.status, 94) << "cannot mount here";
  ExpectRefused(run, AnyOf(HasSubstr("ead-only"), HasSubstr("read only")));
  const Ended list = machine.Run({"list"}, {.in_child = read_only});
  EXPECT_EQ(list.status, 0) << list.err;
  EXPECT_THAT(list.out, HasSubstr("echo kept"));
}

TEST(BadInput, TwoAtOnceOnOneStateDirectory) {
  WRIT_NEEDS_RUNS();
  const Machine machine;
  std::vector<Process> runs;
  for (int i = 0; i < 6; ++i) runs.push_back(machine.Start({"run", "-q", "--", "sh", "-c", fmt::format("echo {}; sleep 0.2", i)}));
  for (int i = 0; i < 6; ++i) {
    const Ended ended = runs[static_cast<std::size_t>(i)].Wait();
    EXPECT_EQ(ended.status, 0) << ended.err;
    EXPECT_EQ(ended.out, fmt::format("{}\n", i));
  }
  const canon::Json list = machine.Json({"list", "--json"});
  ASSERT_EQ(list.Find("runs")->array().size(), 6u);
  for (const auto& run : list.Find("runs")->array()) {
    EXPECT_EQ(Member(run, "status"), "completed");
    EXPECT_EQ(machine.Run({"verify", Member(run, "runId")}).status, 0);
  }
  EXPECT_EQ(machine.Run({"decisions"}).status, 0) << "six writers, one chain";
}

TEST(BadInput, Attack46_ClockSetBack) {
  WRIT_NEEDS_RUNS();
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to make a time namespace";
  // The wall clock has no namespace; what a run sees of a jump is covered with a fake clock beside the engine. Here
  // runs follow each other while monotonic time starts over, as after a restart.
  const Machine machine;
  ASSERT_EQ(machine.Run({"run", "-q", "--", "true"}).status, 0);
  const Ended ended = machine.Run({"run", "-q", "--timeout", "5s", "--", "true"}, {.in_child = [] {
    if (::unshare(CLONE_NEWTIME) != 0) ::_exit(94);
    const sys::UniqueFd offsets(::open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC));
    if (::write(offsets.get(), "monotonic -100 0", 16) != 16) ::_exit(94);
  }});
  if (ended.status == 94) GTEST_SKIP() << "no time namespaces";
  EXPECT_EQ(ended.status, 0) << ended.err;
  EXPECT_EQ(machine.Run({"verify", machine.NewestRun()}).status, 0);
}

TEST(BadInput, CrashedRunsAreFinishedLater) {
  WRIT_NEEDS_RUNS();
  const Machine machine;
  Process run = machine.Start({"run", "--", "sh", "-c", "echo ready; sleep 60"});
  ASSERT_TRUE(run.WaitForOutput("ready"));
  ::kill(run.pid(), SIGKILL);
  EXPECT_EQ(run.Wait(Deadline::After(Millis{20'000})).status, 137);
  const canon::Json list = machine.Json({"list", "--json"});
  ASSERT_EQ(list.Find("runs")->array().size(), 1u);
  EXPECT_EQ(Member(list.Find("runs")->array()[0], "live"), "false");
  EXPECT_THAT(Member(list.Find("runs")->array()[0], "status"), AnyOf("failed", "interrupted"));
  EXPECT_EQ(machine.Run({"verify", machine.NewestRun()}).status, 0);
}

}  // namespace
}  // namespace writ::cli_test
