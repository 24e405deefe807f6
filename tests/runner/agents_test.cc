// Agents of vendors, with stand-ins for their programs that tell how they were started.
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "served_plane.h"

namespace writ {
namespace {

namespace fs = std::filesystem;
using canon::Json;
using testing::HasSubstr;

class Agents : public RunnerE2e {
 protected:
  /// An agent that prints its arguments, one a line, its directory and its environment's names, and leaves a file.
  void InstallStandIn(const std::string& kind, const std::string& program) {
    const std::string directory = temporary_.path() + "/" + kind;
    fs::create_directories(directory + "/bin");
    fs::create_directories(directory + "/lib");
    std::ofstream(directory + "/lib/greeting") << "from its own files\n";
    const std::string path = directory + "/bin/" + program;
    std::ofstream(path) << "#!/bin/sh\nfor word; do echo \"arg: $word\"; done\npwd\n"
                           "env | cut -d= -f1 | grep -v -E '^(PWD|OLDPWD|SHLVL|_)$' | sort | tr '\\n' ' '; echo\n"
                           "echo \"home: $HOME\"; touch \"$HOME/ok\" && echo home is writable\n"
                           "cat \"$(dirname \"$0\")/../lib/greeting\"\n"
                           "touch \"$0\" 2>/dev/null && echo THE PROGRAM IS WRITABLE\n"
                           "echo \"key: ${ANTHROPIC_API_KEY:+given}\"; echo edited > made.txt\n";
    fs::permissions(path, fs::perms(0755));
    fs::permissions(temporary_.path(), fs::perms(0755));
    options_.agents.push_back({.kind = kind, .directory = directory, .bin = "bin"});
  }
  std::string RunAgent(const std::string& kind, std::vector<contract::SecretClaim> secrets = {}) {
    auto draft = Draft(Json::Of({{"kind", "agent"}, {"agent", Json::Of({{"kind", kind}})}, {"prompt", "fix the \"bug\"; rm -rf /"}}), kind);
    draft.secrets = std::move(secrets);
    const std::string id = plane_->AddRun(std::move(draft));
    RunOnce();
    EXPECT_EQ(plane_->Problems(id, RunnerPem()), std::vector<std::string>());
    EXPECT_EQ(plane_->Get(id).status, "completed") << LogOf(id);
    return LogOf(id);
  }
};

TEST_F(Agents, ClaudeCodeIsStartedAsItsVendorSays) {
  InstallStandIn("claude-code", "claude");
  env_["SECRET_OF_THE_OPERATOR"] = "x";
  Serve({{"ANTHROPIC_API_KEY", "sk-ant-0123456789"}});
  const std::string log = RunAgent("claude-code", {{"ANTHROPIC_API_KEY", "pool:default"}});
  EXPECT_EQ(log,
            "arg: -p\narg: fix the \"bug\"; rm -rf /\narg: --permission-mode\narg: acceptEdits\n/work\n"
            "ANTHROPIC_API_KEY HOME HTTPS_PROXY HTTP_PROXY PATH http_proxy https_proxy \n"
            "home: /tmp/home\nhome is writable\nfrom its own files\nkey: given\n");
}

TEST_F(Agents, CodexIsStartedAsItsVendorSays) {
  InstallStandIn("codex", "codex");
  Serve();
  EXPECT_THAT(RunAgent("codex"), HasSubstr("arg: exec\narg: --skip-git-repo-check\narg: fix the \"bug\"; rm -rf /\n/work\n"));
}

TEST_F(Agents, ARunnerWithoutAnAgentIsNotGivenItsRuns) {
  Serve();
  plane_->AddRun(Draft(Json::Of({{"kind", "agent"}, {"agent", Json::Of({{"kind", "mock"}})}, {"prompt", "x"}}), "mock"));
  const auto ran = runner().RunOnce();
  ASSERT_TRUE(ran) << ran.error().what;
  EXPECT_FALSE(*ran);
}

TEST_F(Agents, TheMockAgentAsksTheProxyWhenItIsTold) {
  options_.mock = runner::MockAgent{.directory = WRIT_BIN_DIR, .program = "writ"};
  Serve();
  const std::string id = plane_->AddRun(
      Draft(Json::Of({{"kind", "agent"}, {"agent", Json::Of({{"kind", "mock"}})}, {"prompt", "try the network"}}), "mock"));
  RunOnce();
  EXPECT_EQ(LogOf(id), "mock agent received task: try the network\nnetwork probe status: 403\nmock agent done\n");
}

}  // namespace
}  // namespace writ
