#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <regex>
#include <set>
#include <thread>

#include "../cli/harness.h"
#include "net/http_server_for_test.h"

namespace writ::cli_test {
namespace {

constexpr const char* kAdmin = "admin-token-of-the-test";
constexpr const char* kEnroll = "enroll-token-of-the-test";

/// A plane of its own, started with flags alone.
class Serve : public testing::Test {
 protected:
  Serve() {
    std::string pattern = (std::filesystem::temp_directory_path() / "writ-served-XXXXXX").string();
    directory_ = ::mkdtemp(pattern.data());
    state_ = directory_ + "/state";
    EXPECT_TRUE(sys::WriteFileAtomic(directory_ + "/policy.yaml",
                                     "version: 1\nrunners:\n  allowPools: [default]\nagents:\n  allow: [command]\ntiers:\n  allow: [process]\n"
                                     "network:\n  defaultDeny: true\n  allowHosts: []\n", 0600));
  }
  ~Serve() override { std::filesystem::remove_all(directory_); }

  std::vector<std::string> Arguments(std::vector<std::string> more = {}) const {
    std::vector<std::string> all = {"serve",         "--state", state_,         "--listen",       "127.0.0.1:0", "--policy", directory_ + "/policy.yaml",
                                    "--admin-token", kAdmin,    "--enroll-token", kEnroll};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  /// Starts through `writ`, and waits until it listens.
  Process Start(std::vector<std::string> more = {}, const StartOptions& options = {}) {
    Process process = machine_.Start(Arguments(std::move(more)), options);
    EXPECT_TRUE(process.WaitForOutput("listening on "));
    url_ = *sys::ReadFile(state_ + "/plane.url", 1000);
    url_.pop_back();
    return process;
  }
  /// stdout of curl; its exit status goes to `status`.
  std::string Curl(const std::string& path, std::vector<std::string> more = {}, int* status = nullptr) const {
    std::vector<std::string> arguments = {"-sS", "-m", "20", "-H", std::string("Authorization: Bearer ") + kAdmin, url_ + path};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Ended ended = machine_.Start(arguments, {}, "/usr/bin/curl").Wait();
    if (status != nullptr) *status = ended.status;
    else EXPECT_EQ(ended.status, 0) << ended.err;
    return ended.out;
  }
  static Ended Stop(Process& process, int signal = SIGTERM) {
    ::kill(process.pid(), signal);
    return process.Wait();
  }

  Machine machine_;
  std::string directory_, state_, url_;
};

TEST_F(Serve, StartsAtOnceAnswersCurlAndStopsOnSigterm) {
  Process plane = Start();
  EXPECT_EQ(Curl("/v1/health"), R"({"ok":true,"service":"warrant-plane"})");
  EXPECT_EQ(Curl("/readyz"), R"({"ready":true})");
  EXPECT_NE(Curl("/v1/principals").find("\"bootstrap-enroller\""), std::string::npos);
  EXPECT_NE(Curl("/metrics").find("writ_http_connections_taken_total"), std::string::npos);
  EXPECT_EQ(Curl("/v1/principals", {"-H", "Authorization: Bearer wrong-token-of-somebody", "-o", "/dev/null", "-w", "%{http_code}"}), "400") << "twice";
  EXPECT_EQ(Curl("/nope"), R"({"error":"no route for GET /nope"})");
  EXPECT_EQ(Curl("/v1/runs?token=x", {"-o", "/dev/null", "-w", "%{http_code}"}), "400");
  EXPECT_EQ(Curl("/v1/health", {"-H", "Host: evil.example", "-o", "/dev/null", "-w", "%{http_code}"}), "421");
  std::string big(3 << 20, 'b');
  ASSERT_TRUE(sys::WriteFileAtomic(directory_ + "/big", big, 0600));
  const std::string stored = Curl("/v1/blobs", {"--data-binary", "@" + directory_ + "/big"});  // curl waits for 100 Continue
  const auto json = canon::Parse(stored, canon::Mode::kStrict);
  ASSERT_TRUE(json && json->FindString("hash")) << stored;
  EXPECT_TRUE(Curl("/v1/blobs/" + *json->FindString("hash")) == big);

  const auto status = *sys::ReadFile("/proc/" + std::to_string(plane.pid()) + "/status", 1 << 16);
  EXPECT_NE(status.find("CapEff:\t0000000000000000"), std::string::npos);
  EXPECT_NE(status.find("Seccomp:\t2"), std::string::npos);
  const Ended ended = Stop(plane);
  EXPECT_EQ(ended.status, 0) << ended.err;
  EXPECT_FALSE(std::filesystem::exists(state_ + "/plane.url"));
  EXPECT_NE(ended.err.find("\"path\":\"/v1/health\""), std::string::npos) << ended.err;
  EXPECT_NE(ended.err.find("--admin-token shows the token"), std::string::npos);
  EXPECT_EQ(ended.err.find(kAdmin), std::string::npos) << "no token in the log";
}

TEST_F(Serve, InitMakesAHomeThatServes) {
  const Ended made = machine_.Run({"serve", "--init", "--state", state_, "--json"});
  ASSERT_EQ(made.status, 0) << made.err;
  const auto json = canon::Parse(made.out, canon::Mode::kStrict);
  ASSERT_TRUE(json && json->FindString("adminToken")) << made.out;
  EXPECT_EQ(machine_.Run({"serve", "--init", "--state", state_}).status, 2);
  Process plane = machine_.Start({"serve", "--state", state_, "--listen", "127.0.0.1:0", "--json"});
  ASSERT_TRUE(plane.WaitForOutput("{\"url\":\"http://127.0.0.1:"));
  url_ = *sys::ReadFile(state_ + "/plane.url", 1000);
  url_.pop_back();
  EXPECT_NE(Curl("/v1/runners").find("unauthorized"), std::string::npos);
  EXPECT_EQ(Stop(plane, SIGINT).status, 0);
}

TEST_F(Serve, AKilledPlaneComesBackWithItsKeyAndPrincipals) {
  {
    Process plane = Start();
    EXPECT_NE(Curl("/v1/principals", {"-d", R"({"name":"ci","role":"requester"})"}).find("\"token\""), std::string::npos);
    EXPECT_EQ(Stop(plane, SIGKILL).status, 128 + SIGKILL);
  }
  const std::string key = *sys::ReadFile(state_ + "/keys/plane.pub.pem", 4096);
  Process plane = Start();
  EXPECT_EQ(*sys::ReadFile(state_ + "/keys/plane.pub.pem", 4096), key);
  EXPECT_NE(Curl("/v1/principals").find("\"ci\""), std::string::npos);
  const Ended second = machine_.Run(Arguments());
  EXPECT_EQ(second.status, 1) << "one plane at a time";
  EXPECT_NE(second.err.find("another plane"), std::string::npos) << second.err;
  EXPECT_EQ(Stop(plane).status, 0);
  EXPECT_NE(machine_.Run(Arguments(), {.env = {{"WRIT_MASTER_KEY", "another master"}}}).status, 0) << "another master opens nothing";
}

TEST_F(Serve, TlsMutualTlsAndNewCertificates) {
  const net::TestIdentity ca("ca"), own("localhost", &ca), next("localhost", &ca), client("runner-1", &ca);
  Process plane = Start({"--tls-cert", own.cert_file(), "--tls-key", own.key_file(), "--client-ca", ca.cert_file()});
  url_ = "https://localhost" + url_.substr(url_.rfind(':'));
  int status = 0;
  Curl("/v1/health", {"--cacert", ca.cert_file()}, &status);
  EXPECT_NE(status, 0) << "no client certificate";
  const std::vector<std::string> with = {"--cacert", ca.cert_file(), "--cert", client.cert_file(), "--key", client.key_file()};
  EXPECT_EQ(Curl("/v1/health", with), R"({"ok":true,"service":"warrant-plane"})");
  auto old = with;
  old.insert(old.end(), {"--tls-max", "1.1"});
  Curl("/v1/health", old, &status);
  EXPECT_NE(status, 0) << "TLS 1.1";
  std::filesystem::copy_file(next.cert_file(), own.cert_file(), std::filesystem::copy_options::overwrite_existing);
  std::filesystem::copy_file(next.key_file(), own.key_file(), std::filesystem::copy_options::overwrite_existing);
  ::kill(plane.pid(), SIGHUP);
  EXPECT_EQ(Curl("/v1/health", with), R"({"ok":true,"service":"warrant-plane"})");
  const Ended ended = Stop(plane);
  EXPECT_EQ(ended.status, 0);
  EXPECT_NE(ended.err.find("the certificate was read anew"), std::string::npos) << ended.err;
}

TEST_F(Serve, WhatCannotBeServedIsSaidAtOnce) {
  struct Case {
    std::vector<std::string> more;
    const char* says;
  };
  const Case cases[] = {
      {{"--listen", "0.0.0.0:0"}, "--insecure-http"},
      {{"--policy", "/nonexistent"}, "policy"},
      {{"--tls-cert", "/nonexistent", "--tls-key", "/nonexistent"}, "certificate"},
      {{"--config", directory_ + "/bad.yaml"}, "polcy"},
  };
  ASSERT_TRUE(sys::WriteFileAtomic(directory_ + "/bad.yaml", "polcy: x\n", 0600));
  for (const auto& c : cases) {
    SCOPED_TRACE(c.says);
    const Ended ended = machine_.Run(Arguments(c.more));
    EXPECT_NE(ended.status, 0);
    EXPECT_NE(ended.err.find(c.says), std::string::npos) << ended.err;
    EXPECT_EQ(ended.err.find(kAdmin), std::string::npos);
  }
  EXPECT_EQ(machine_.Run({"serve", "--state", state_, "--listen", "127.0.0.1:0"}).status, 2) << "no admin token";
}

TEST_F(Serve, PlaneAndRunnerInOneProcessCarryOutARun) {
  WRIT_NEEDS_RUNS();
  Process plane = Start({"--with-runner"});
  const std::string token = machine_.Write("token", kAdmin, 0600);
  const Ended good = machine_.Run({"run", "--plane", url_, "--token-file", token, "--", "echo", "hi"});
  EXPECT_EQ(good.status, 0) << good.err;
  EXPECT_EQ(good.out, "hi\n");
  EXPECT_EQ(machine_.Run({"run", "--plane", url_, "--token-file", token, "--", "sh", "-c", "exit 7"}).status, 7);
  EXPECT_EQ(Stop(plane).status, 0);
}

TEST_F(Serve, Attack42_SecretsAndTokensStayOutOfProcessesLogsMetricsAndDisks) {
  WRIT_NEEDS_RUNS();
  const std::string value = "Tr0ub4dor-and-3-more";
  ASSERT_TRUE(sys::WriteFileAtomic(directory_ + "/policy.yaml",
                                   "version: 1\nrunners:\n  allowPools: [default]\nagents:\n  allow: [command]\ntiers:\n  allow: [process]\n"
                                   "network:\n  defaultDeny: true\n  allowHosts: []\n"
                                   "secrets:\n  releasable:\n    - {name: DEPLOY, scope: \"team:x\", pools: [default]}\n", 0600));
  const std::string admin = machine_.Write("token", kAdmin, 0600), enroll = machine_.Write("enroll", kEnroll, 0600);
  ASSERT_EQ(machine_.Run({"serve", "--init", "--state", state_}).status, 0);
  const std::string given = machine_.Write("value", value, 0600);
  const sys::UniqueFd in = sys::OpenFile(given, O_RDONLY).value();
  ASSERT_EQ(machine_.Run({"secret", "set", "DEPLOY"}, {.env = {{"WRIT_STATE", state_}}, .stdin_fd = in.get()}).status, 0);
  Process plane = machine_.Start({"serve", "--state", state_, "--listen", "127.0.0.1:0", "--policy", directory_ + "/policy.yaml", "--admin-token-file",
                                  admin, "--enroll-token-file", enroll, "--with-runner"});
  ASSERT_TRUE(plane.WaitForOutput("listening on "));
  url_ = *sys::ReadFile(state_ + "/plane.url", 1000);
  url_.pop_back();
  Process run = machine_.Start({"run", "--plane", url_, "--token-file", admin, "--secret", "DEPLOY", "--", "sh", "-c",
                                "echo \"it is $DEPLOY\"; echo begun; sleep 1"});
  ASSERT_TRUE(run.WaitForOutput("begun"));
  const std::vector<std::string> hidden = {value, kAdmin, kEnroll};
  const auto expect_none = [&](const std::string& text, const std::string& where) {
    for (const auto& one : hidden) EXPECT_EQ(text.find(one), std::string::npos) << where << " has " << one;
  };
  // While the job runs: every process of plane and client, but the job's own, which is given the value.
  for (const pid_t pid : {plane.pid(), run.pid()}) {
    for (const char* file : {"environ", "cmdline"})
      expect_none(sys::ReadFile(fmt::format("/proc/{}/{}", pid, file), 1 << 20).value_or(""), file);
  }
  expect_none(Curl("/metrics"), "/metrics");
  const Ended ended = run.Wait();
  EXPECT_EQ(ended.status, 0) << ended.err;
  EXPECT_NE(ended.out.find("it is [redacted:DEPLOY]"), std::string::npos) << ended.out;
  expect_none(Curl("/v1/export"), "the export");
  expect_none(Curl("/metrics"), "/metrics");
  const Ended stopped = Stop(plane);
  EXPECT_EQ(stopped.status, 0);
  expect_none(stopped.err + ended.err + ended.out, "a log");
  for (const auto& entry : std::filesystem::recursive_directory_iterator(state_))
    if (entry.is_regular_file()) expect_none(sys::ReadFile(entry.path().string(), 64 << 20).value_or(""), entry.path().string());
}

TEST_F(Serve, TheRunnerOfAPlaneWithTlsHasADoorOfItsOwn) {
  WRIT_NEEDS_RUNS();
  const net::TestIdentity ca("ca"), own("plane.example.org", &ca), client("somebody", &ca);
  Process plane = Start({"--with-runner", "--server-name", "plane.example.org", "--tls-cert", own.cert_file(), "--tls-key", own.key_file(), "--client-ca", ca.cert_file()});
  const std::string address = url_.substr(url_.rfind(':') + 1);
  url_ = "https://plane.example.org:" + address;
  int status = 0;
  Curl("/v1/health", {"--cacert", ca.cert_file(), "--resolve", "plane.example.org:" + address + ":127.0.0.1"}, &status);
  EXPECT_NE(status, 0) << "others need a certificate";
  const std::vector<std::string> with = {"--cacert", ca.cert_file(), "--cert", client.cert_file(), "--key", client.key_file(),
                                         "--resolve", "plane.example.org:" + address + ":127.0.0.1"};
  const auto runners = [&] { return Curl("/v1/runners", with); };
  for (const Deadline end = Deadline::After(Millis{20'000}); !end.Passed() && runners().find("rnr_") == std::string::npos;) {}
  EXPECT_NE(runners().find("rnr_"), std::string::npos) << "it enrolled through its own door";
  const Ended ended = Stop(plane);
  EXPECT_EQ(ended.status, 0) << ended.err;
  EXPECT_EQ(ended.err.find("runner error"), std::string::npos) << ended.err;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(state_ + "/runner"))
    EXPECT_NE(entry.path().filename(), "own.key");
}

TEST_F(Serve, BothProgramsKnowTheSameOptions) {
  const auto options = [](const std::string& text) {
    std::set<std::string> names;
    static const std::regex kOption("(^|\\n) +(-., )?--([a-z-]+)");
    for (std::sregex_iterator at(text.begin(), text.end(), kOption), end; at != end; ++at) names.insert((*at)[3]);
    return names;
  };
  const auto described = options(machine_.Run({"help", "serve"}).out);
  const auto read = options(machine_.Start({"serve", "--help"}, {}, "writ-server").Wait().out);
  EXPECT_EQ(described, read);
  EXPECT_GT(read.size(), 20U);
  EXPECT_EQ(options(machine_.Run({"help", "runner"}).out), options(machine_.Start({"runner", "--help"}, {}, "writ-server").Wait().out));
}

}  // namespace
}  // namespace writ::cli_test
