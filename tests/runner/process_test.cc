// The runner as a process: its command line, signals and proxies.
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runner/command.h"
#include "runner/runner_fixture_for_test.h"

namespace writ::runner {
namespace {

namespace fake = isolation::fake;

class RunnerProcess : public RunnerTest {
 protected:
  /// `writ runner` in a child process, with scripted guests.
  pid_t Spawn(std::vector<std::string> arguments, std::function<std::optional<std::string>(std::string_view)> env = {}) {
    const pid_t child = ::fork();
    EXPECT_GE(child, 0);
    if (child != 0) return child;
    CommandWiring wiring;
    wiring.start_backends = [this](const std::string&) -> Result<std::vector<TierBackend>> {
      std::vector<TierBackend> backends;
      backends.push_back({std::make_unique<fake::FakeBackend>(temporary_.path() + "/guests", script_)});
      return backends;
    };
    wiring.adjust = [](Options& options) -> Result<> {
      options.poll_wait = Millis{200};
      options.say = [](const std::string&) {};
      return {};
    };
    const std::vector<std::string_view> words(arguments.begin(), arguments.end());
    const EnvLookup lookup = env ? EnvLookup(env) : EnvLookup([](std::string_view) { return std::nullopt; });
    ::_exit(CommandMain(words, lookup, wiring));
  }
  static int ExitOf(pid_t child) {
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  std::vector<std::string> Arguments() {
    return {"--plane", plane_->url(), "--token", "enroll-me", "--dir", temporary_.path() + "/state"};
  }
};

TEST_F(RunnerProcess, SigtermLetsWhatRunsEndAndReportsIt) {
  script_.steps = {fake::Sleep{Millis{700}}, fake::Print{isolation::Stream::kStdout, "done\n"}};
  const std::string id = plane_->AddRun({});
  const pid_t child = Spawn(Arguments());
  ASSERT_TRUE(plane_->AwaitStatus(id, "running"));
  ASSERT_EQ(::kill(child, SIGTERM), 0);
  EXPECT_EQ(ExitOf(child), 0);
  EXPECT_EQ(plane_->Get(id).status, "completed");
  EXPECT_EQ(plane_->Problems(id), std::vector<std::string>());
  EXPECT_EQ(LogOf(id), "done\n");
}

TEST_F(RunnerProcess, SigtermEndsAnEnrolmentThatIsTriedAgain) {
  std::atomic<int> asked = 0;
  plane_->before = [&](const std::string&, const std::string&, const std::string&) {
    ++asked;
    return ScriptedReply{.status = 200, .body = "", .drop = true};
  };
  for (const bool once : {false, true}) {
    asked = 0;
    auto arguments = Arguments();
    if (once) arguments.push_back("--once");
    const pid_t child = Spawn(arguments);
    const Deadline limit = Deadline::After(Millis{20'000});
    while (asked == 0 && !limit.Passed()) std::this_thread::sleep_for(Millis{1});
    ASSERT_EQ(::kill(child, SIGTERM), 0);
    EXPECT_EQ(ExitOf(child), once ? 1 : 0);
    EXPECT_FALSE(limit.Passed()) << "it went on trying";
  }
}

TEST_F(RunnerProcess, KilledInTheMiddleItsSuccessorReportsTheEnd) {
  script_.steps = {fake::Sleep{Millis{60'000}}};
  const std::string id = plane_->AddRun({});
  const pid_t child = Spawn(Arguments());
  ASSERT_TRUE(plane_->AwaitStatus(id, "running"));
  ASSERT_EQ(::kill(child, SIGKILL), 0);
  EXPECT_EQ(ExitOf(child), -1);
  script_.steps = {};
  auto once = Arguments();
  once.push_back("--once");
  EXPECT_EQ(ExitOf(Spawn(once)), 3) << "nothing else waited";
  EXPECT_EQ(plane_->Get(id).status, "failed");
  EXPECT_EQ(plane_->Problems(id), std::vector<std::string>());
}

TEST_F(RunnerProcess, OnceCarriesOutOneRun) {
  const std::string first = plane_->AddRun({}), second = plane_->AddRun({});
  auto once = Arguments();
  once.push_back("--once");
  EXPECT_EQ(ExitOf(Spawn(once)), 0);
  EXPECT_EQ(plane_->Get(first).status, "completed");
  EXPECT_EQ(plane_->Get(second).status, "created");
  EXPECT_EQ(ExitOf(Spawn({"--plane"})), 2);
  EXPECT_EQ(ExitOf(Spawn({"--plane", "http://127.0.0.1:1", "--dir", temporary_.path() + "/other", "--once"})), 1) << "no token";
}

TEST_F(RunnerProcess, GoesThroughTheProxyThatTheEnvironmentNames) {
  // The scripted plane plays a proxy: it is asked for absolute addresses of a host that nobody could reach otherwise.
  std::atomic<int> proxied = 0;
  plane_->rewrite = [&](std::string path) {
    constexpr std::string_view kHost = "http://plane.example";
    if (!path.starts_with(kHost)) return path;
    ++proxied;
    return path.substr(kHost.size());
  };
  const std::string id = plane_->AddRun({});
  const std::string proxy = plane_->url();
  const pid_t child = Spawn({"--plane", "http://plane.example", "--token", "enroll-me", "--dir", temporary_.path() + "/state", "--once"},
                            [proxy](std::string_view name) -> std::optional<std::string> {
                              return name == "http_proxy" ? std::optional(proxy) : std::nullopt;
                            });
  EXPECT_EQ(ExitOf(child), 0);
  EXPECT_GE(proxied, 3);
  EXPECT_EQ(plane_->Get(id).status, "completed");
}

}  // namespace
}  // namespace writ::runner
