// Attacks on other processes, and on what the launcher may have left within reach.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "escape_for_test.h"

namespace writ::escape {
namespace {

using testing::HasSubstr;
using testing::Not;

using ProcessEscape = EscapeTest;

std::string ReadAll(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string((std::istreambuf_iterator<char>(file)), {});
}

TEST_F(ProcessEscape, Attack03_InspectingAndDrivingOtherProcesses) {
  const auto run = Run("other_processes", {std::to_string(::getpid()), std::to_string(::getppid())});
  ExpectAllRefused(run, 60);
  EXPECT_EQ(run.Line("ptrace-attach 1"), "refused EPERM");
  EXPECT_EQ(run.Line("pidfd_getfd 1"), "refused EPERM");
}

TEST_F(ProcessEscape, Attack04_InheritedDescriptors) {
  // Left open on purpose, without the close-on-exec flag, before the jail starts.
  const int directory = ::open("/", O_RDONLY | O_DIRECTORY);
  const int secret = ::open((scratch_ / "secret").c_str(), O_RDWR | O_CREAT, 0600);
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  ASSERT_GE(directory, 0);
  ASSERT_GE(secret, 0);
  ASSERT_EQ(::dup2(secret, 700), 700);
  const auto run = Run("open_descriptors");
  ExpectAllRefused(run, 3);
  EXPECT_EQ(run.Line("inherited-descriptors"), "refused ABSENT");
  EXPECT_EQ(run.Line("working-directory"), "/work");
  for (const int fd : {directory, secret, pair[0], pair[1], 700}) ::close(fd);
}

TEST_F(ProcessEscape, Attack05_OverwritingTheRunningProgram) {
  const auto jail = std::filesystem::path(WRIT_BIN_DIR) / "writ-jail";
  const std::string before = ReadAll(jail);
  struct stat meta_before {}, meta_after {};
  ASSERT_EQ(::stat(jail.c_str(), &meta_before), 0);
  const auto run = Run("proc_self_exe");
  ExpectAllRefused(run, 8);
  ASSERT_EQ(::stat(jail.c_str(), &meta_after), 0);
  EXPECT_EQ(meta_before.st_mode, meta_after.st_mode);
  EXPECT_EQ(meta_before.st_ctim.tv_nsec, meta_after.st_ctim.tv_nsec);
  EXPECT_TRUE(before == ReadAll(jail));
}

TEST_F(ProcessEscape, Attack07_AliasesOfPathsAndForeignProcesses) {
  const auto secret = scratch_ / "secret";
  std::ofstream(secret) << "launcher only";
  const auto run = Run("proc_aliases", {secret.string(), "/etc/hostname"});
  ExpectAllRefused(run, 40);
  const auto list = Run("other_processes");
  EXPECT_THAT(list.Line("list-processes"), HasSubstr("refused HIDDEN"));
}

TEST_F(ProcessEscape, Attack08_LocalSocketsOfTheHost) {
  const auto path = (scratch_ / "socket").string();
  const std::string abstract = "writ-escape-" + std::to_string(::getpid());
  std::vector<int> listeners;
  for (const bool named : {true, false}) {
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    const std::string name = named ? path : std::string(1, '\0') + abstract;
    ASSERT_LT(name.size(), sizeof address.sun_path);
    name.copy(address.sun_path, name.size());
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    ASSERT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address),
                     static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size() + (named ? 1 : 0))), 0);
    ASSERT_EQ(::listen(fd, 4), 0);
    listeners.push_back(fd);
  }
  const auto run = Run("unix_sockets", {path, "@" + abstract});
  ExpectAllRefused(run, 50);
  for (const int fd : listeners) {
    EXPECT_EQ(::accept(fd, nullptr, nullptr), -1) << "somebody connected";
    ::close(fd);
  }
}

TEST_F(ProcessEscape, Attack08_SignalsToOthers) {
  static volatile sig_atomic_t signalled = 0;
  for (const int number : {SIGUSR1, SIGTERM, SIGHUP}) ::signal(number, [](int) { signalled = 1; });
  // Small numbers (a test under PID 1 of a small machine) would name processes inside as well.
  std::vector<std::string> outside = {std::to_string(::getpid())};
  if (::getppid() > 64) outside.push_back(std::to_string(::getppid()));
  const auto run = Run("signal_others", outside);
  ExpectAllRefused(run, 7);
  EXPECT_EQ(run.Line("kill-init"), "refused NO-EFFECT");
  EXPECT_EQ(run.Line("kill " + std::to_string(::getpid())), "refused ESRCH");
  EXPECT_EQ(signalled, 0);
}

TEST_F(ProcessEscape, Attack42_SecretsOfTheLauncher) {
  // In the launcher's environment, in its memory, in a file of its working directory.
  const std::string reversed = "81eulav-terces-trw";
  const std::string secret(reversed.rbegin(), reversed.rend());
  ASSERT_EQ(::setenv("WRIT_ESCAPE_SECRET", secret.c_str(), 1), 0);
  std::ofstream(scratch_ / "credentials") << secret;
  const auto run = Run("find_text", {reversed});
  ExpectAllRefused(run, 1);
  const auto env = Run("print_env");
  EXPECT_EQ(env.outcome.code, 0);
  EXPECT_THAT(env.out, Not(HasSubstr("WRIT_ESCAPE_SECRET")));
  EXPECT_THAT(env.out, Not(HasSubstr(secret)));
  ::unsetenv("WRIT_ESCAPE_SECRET");
}

TEST_F(ProcessEscape, Attack42_TheGuestsOwnTextCanBeFound) {
  // The search above would be worth nothing if it found nothing anywhere.
  const auto run = Run("find_text", {"elbadaer-si-siht"}, [](isolation::SessionSpec& spec) {
    spec.env.push_back("MARK=this-is-readable");
  });
  EXPECT_EQ(run.outcome.code, 1) << run.out;
  EXPECT_GE(run.Count("SUCCEEDED"), 1u);
}

TEST_F(ProcessEscape, Attack44_NothingOfAnEarlierTenant) {
  KeepWarm(2);
  const std::string reversed = "9177-tnanet-reilrae";
  const std::string text(reversed.rbegin(), reversed.rend());
  for (int round = 0; round < 2; ++round) {
    {
      const auto first = Run("leave_marks", {text});
      EXPECT_EQ(first.outcome.code, 0) << first.out << first.err;
      EXPECT_EQ(first.Line("marks"), "left");
    }
    const auto second = Run("find_text", {reversed});
    ExpectAllRefused(second, 1);
  }
}

}  // namespace
}  // namespace writ::escape
