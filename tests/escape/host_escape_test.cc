// Attacks on the host's files, facts and rights.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <sstream>

#include "escape_for_test.h"

namespace writ::escape {
namespace {

using testing::HasSubstr;

using HostEscape = EscapeTest;

TEST_F(HostEscape, Attack06_MaskedFilesAndDevices) {
  const auto run = Run("masked_proc");
  ExpectAllRefused(run, 80);
  for (const char* name : {"read /proc/cmdline", "read /proc/slabinfo", "read /proc/kmsg", "write /proc/sysrq-trigger",
                           "write /proc/sys/kernel/core_pattern"})
    EXPECT_THAT(run.Line(name), testing::StartsWith("refused ")) << name;
}

TEST_F(HostEscape, Attack06_PlacesOfTheHost) {
  std::ofstream(scratch_ / "seen") << "x";
  const auto run = Run("host_places", {(scratch_ / "seen").string(), WRIT_SOURCE_DIR "/README.md", WRIT_BIN_DIR});
  ExpectAllRefused(run, 60);
}

TEST_F(HostEscape, Attack06_WritingOutsideTheWritablePlaces) {
  const auto run = Run("write_everywhere");
  ExpectAllRefused(run, 5);
}

TEST_F(HostEscape, Attack07_TheMountTableNamesNoHostPath) {
  const auto workspace = scratch_ / "a-telling-name";
  std::filesystem::create_directories(workspace);
  const auto run = Run("mountinfo", {scratch_.filename().string(), "a-telling-name", "in-mountinfo"}, [&](isolation::SessionSpec& spec) {
    spec.workspace.emplace(isolation::Layer{workspace.string(), sys::UniqueFd{::open(workspace.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)}});
  });
  ExpectAllRefused(run, 3);
  EXPECT_THAT(run.out, HasSubstr(" /work "));
}

TEST_F(HostEscape, Attack09_RightsOfTheGuest) {
  const auto probe = Run("exit_with", {"0"});
  const auto groups = probe.enforced.find("groups");
  const bool kept = groups != probe.enforced.end() && groups->second == "kept";
  const auto run = Run("credentials", kept ? std::vector<std::string>{"keep-groups"} : std::vector<std::string>{});
  ExpectAllRefused(run, 18);
  EXPECT_EQ(run.Line("status-CapPrm"), "refused 0000000000000000");
  EXPECT_EQ(run.Line("status-NoNewPrivs"), "refused 1");
  EXPECT_EQ(run.Line("status-Seccomp"), "refused 2");
}

TEST_F(HostEscape, Attack09_NobodyInsideIsSomebodyOutside) {
  class Nothing final : public isolation::OutputSink {
    Result<> Write(isolation::Stream, ByteView) override { return {}; }
    Result<> Truncated(isolation::Stream) override { return {}; }
  } sink;
  const std::string token = std::to_string(40'000'000 + ::getpid());
  auto session = backend().Start(Spec("sleep_for", {token}), sink);
  ASSERT_TRUE(session) << session.error().what;
  const auto guests = ProcessesWith(token);
  ASSERT_EQ(guests.size(), 1u);
  std::ifstream status("/proc/" + std::to_string(guests[0]) + "/status");
  int ids_seen = 0;
  for (std::string line; std::getline(status, line);) {
    const bool user = line.starts_with("Uid:"), group = line.starts_with("Gid:");
    if (!user && !group) continue;
    std::istringstream ids(line.substr(4));
    for (unsigned id = 0; ids >> id; ++ids_seen) {
      if (::getuid() == 0) {
        EXPECT_GE(id, 1'000'000u) << line << ": a range of its own, used by nobody";
      } else {
        EXPECT_TRUE(id == ::getuid() || id >= 65536) << line << ": the caller itself, or a subordinate id";
      }
    }
  }
  EXPECT_EQ(ids_seen, 8);
}

TEST_F(HostEscape, Attack09_SetUserIdPrograms) {
  const auto run = Run("setuid_binaries");
  ExpectAllRefused(run, 10);
}

TEST_F(HostEscape, Attack09_TheLaunchersTerminal) {
  const auto run = Run("terminal");
  ExpectAllRefused(run, 15);
  EXPECT_EQ(run.Line("controlling-terminal"), "refused ENXIO");
}

TEST_F(HostEscape, Attack09_AnOwnTerminalIsConfinedAsWell) {
  const auto run = Run("terminal", {"own-terminal"}, [](isolation::SessionSpec& spec) { spec.terminal = isolation::SessionSpec::Terminal{30, 100}; });
  EXPECT_EQ(run.outcome.code, 0) << run.out;
  EXPECT_EQ(run.out.find("SUCCEEDED"), std::string::npos) << run.out;
  EXPECT_THAT(run.out, HasSubstr("TIOCSTI-0: refused EPERM"));
}

TEST_F(HostEscape, Attack09_CoreFiles) {
  const auto run = Run("core_dump");
  ExpectAllRefused(run, 2);
}

TEST_F(HostEscape, Attack18_WhatGovernsTheRun) {
  const auto state = scratch_ / "state";
  std::filesystem::create_directories(state / "keys");
  std::ofstream(state / "policy.yaml") << "deny: everything\n";
  std::ofstream(state / "keys" / "plane.key.pem") << "key\n";
  const auto workspace = scratch_ / "workspace";
  std::filesystem::create_directories(workspace);
  std::filesystem::create_symlink(state / "policy.yaml", workspace / "policy-link");
  std::filesystem::create_hard_link(state / "policy.yaml", workspace / "policy-hard-link");
  const auto run = Run("governing_files",
                       {state.string(), (state / "policy.yaml").string(), (state / "keys" / "plane.key.pem").string(), scratch_.string(),
                        "/work/policy-link/../policy.yaml"},
                       [&](isolation::SessionSpec& spec) {
                         spec.workspace.emplace(isolation::Layer{
                             workspace.string(), sys::UniqueFd{::open(workspace.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)}});
                       });
  ExpectAllRefused(run, 100);
  std::ifstream policy(state / "policy.yaml");
  EXPECT_EQ(std::string((std::istreambuf_iterator<char>(policy)), {}), "deny: everything\n");
  // A hard link in the workspace is a copy as soon as it is written: the governing file stays as it was.
  const auto writer = Run("echo_args", {}, [&](isolation::SessionSpec& spec) {
    spec.argv = {"/bin/sh", "-c", "echo allow: everything > /work/policy-hard-link; chmod 777 /work/policy-hard-link; cat /work/policy-hard-link"};
    spec.workspace.emplace(isolation::Layer{workspace.string(), sys::UniqueFd{::open(workspace.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)}});
  });
  EXPECT_THAT(writer.out, HasSubstr("allow: everything")) << writer.err;
  std::ifstream again(state / "policy.yaml");
  EXPECT_EQ(std::string((std::istreambuf_iterator<char>(again)), {}), "deny: everything\n");
}

}  // namespace
}  // namespace writ::escape
