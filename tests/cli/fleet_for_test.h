#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <optional>
#include <string>

#include "harness.h"

namespace writ::cli_test {

inline constexpr const char* kFleetPolicy = R"({"version": "warrant.policy.v1", "runners": {"allowPools": ["default"]}, "agents": {"allow": ["command", "mock"]},
  "dataClasses": [], "network": {"defaultDeny": true, "allowHosts": ["localhost"]}, "secrets": {"releasable": [{"name": "TOK", "scope": "team:x", "pools": ["default"]}]},
  "budget": {"maxSpendUsd": 25, "maxDurationMin": 60}, "consent": [%], "retention": {"receiptsDays": 365, "artifactsDays": 90}})";

/// A plane with a runner in it, and a client that has logged in.
class Fleet {
 public:
  /// `consent`: rules of the plane's policy. `writ`: its extension, an object.
  explicit Fleet(const std::string& consent = "", const std::string& writ = "") {
    std::string policy = kFleetPolicy;
    policy.replace(policy.find('%'), 1, consent);
    if (!writ.empty()) policy.insert(policy.rfind('}'), ", \"writ\": " + writ);
    const std::string policy_file = machine.Write("policy.json", policy);
    const std::string admin = machine.Write("admin.token", "admin-token-0123456789abcdef", 0600);
    const std::string enroll = machine.Write("enroll.token", "enroll-token-0123456789abcdef", 0600);
    const std::string log = machine.Write("serve.log", "");
    log_ = sys::OpenFile(log, O_WRONLY | O_APPEND).value();
    StartOptions options;
    options.stderr_fd = log_.get();
    server_.emplace(machine.Start({"serve", "--listen", "127.0.0.1:0", "--state", machine.File("plane"), "--policy", policy_file, "--admin-token-file",
                                   admin, "--enroll-token-file", enroll, "--with-runner"},
                                  options, "writ-server"));
    std::string said;
    char byte = 0;
    while (!said.ends_with('\n') && ::read(server_->out(), &byte, 1) == 1) said += byte;
    const auto at = said.find("http://");
    EXPECT_NE(at, std::string::npos) << "the plane did not start: " << said << Log();
    if (at == std::string::npos) return;
    url = said.substr(at, said.size() - at - 1);
    const Ended login = machine.Run({"plane", "login", "--name", "lab", "--token-file", admin, url});
    EXPECT_EQ(login.status, 0) << login.err << Log();
  }
  ~Fleet() {
    if (server_) ::kill(server_->pid(), SIGTERM);
    if (server_) server_->Wait(Deadline::After(Millis{30'000}));
  }
  std::string Log() const { return sys::ReadFile(machine.File("serve.log"), 16 << 20).value_or("no log"); }

  /// A git repository with one commit and a change on top.
  std::string Repository() const {
    const Ended made = machine.Start({"-c",
                                      "set -e; git init -q repo; cd repo; git config user.email a@b.c; git config user.name a; "
                                      "printf 'one\\n' > a.txt; git add a.txt; git commit -qm first"},
                                     {.directory = machine.File("")}, "/bin/sh")
                           .Wait();
    EXPECT_EQ(made.status, 0) << made.err;
    return machine.File("repo");
  }

  Machine machine;
  std::string url;

 private:
  sys::UniqueFd log_;
  std::optional<Process> server_;
};

#define WRIT_NEEDS_FLEET() \
  WRIT_NEEDS_RUNS();       \
  if (::access(WRIT_BIN_DIR "/writ-server", X_OK) != 0) GTEST_SKIP() << "writ-server is not built"

}  // namespace writ::cli_test
