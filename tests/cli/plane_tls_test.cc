// The client against a plane behind TLS, with and without client certificates; approvals, also with tokens of an identity
// provider: the whole way from the command line.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <optional>

#include "crypto/jws_maker_for_test.h"
#include "harness.h"
#include "net/http_server_for_test.h"

namespace writ::cli_test {
namespace {

using canon::Json;
using testing::HasSubstr;

constexpr const char* kIssuer = "https://idp.example";

#define WRIT_NEEDS_SERVER() \
  WRIT_NEEDS_RUNS();        \
  if (::access(WRIT_BIN_DIR "/writ-server", X_OK) != 0) GTEST_SKIP() << "writ-server is not built"

/// `writ serve` with the options of a test, and a runner of its own where the plane cannot bring one.
class ServedPlaneTest : public testing::Test {
 protected:
  ~ServedPlaneTest() override {
    for (auto* process : {&runner_, &server_}) {
      if (!*process) continue;
      ::kill((*process)->pid(), SIGTERM);
      (*process)->Wait(Deadline::After(Millis{30'000}));
    }
  }
  /// Starts the plane and returns the port it listens on.
  std::string Serve(std::vector<std::string> more, const std::string& consent = "[]") {
    const std::string policy = machine_.Write(
        "policy.json", R"({"version":"warrant.policy.v1","runners":{"allowPools":["default"]},"agents":{"allow":["command"]},"dataClasses":[],)"
                       R"("network":{"defaultDeny":true,"allowHosts":[]},"secrets":{"releasable":[]},)"
                       R"("budget":{"maxSpendUsd":25,"maxDurationMin":60},"consent":)" + consent +
                       R"(,"retention":{"receiptsDays":365,"artifactsDays":90}})");
    admin_ = machine_.Write("admin.token", "admin-token-0123456789abcdef", 0600);
    enroll_ = machine_.Write("enroll.token", "enroll-token-0123456789abcdef", 0600);
    std::vector<std::string> words = {"serve",       "--listen", "127.0.0.1:0",       "--state", machine_.File("plane"),  "--policy",
                                      policy,        "--admin-token-file", admin_, "--enroll-token-file", enroll_};
    words.insert(words.end(), more.begin(), more.end());
    server_.emplace(machine_.Start(words, Logging("serve.log"), "writ-server"));
    EXPECT_TRUE(server_->WaitForOutput("listening on ")) << Log("serve.log");
    const std::string url = sys::ReadFile(machine_.File("plane/plane.url"), 1000).value_or("none:0\n");
    return url.substr(url.rfind(':') + 1, url.size() - url.rfind(':') - 2);
  }
  void StartRunner(std::vector<std::string> more) {
    std::vector<std::string> words = {"runner", "--token-file", enroll_, "--dir", machine_.File("runner")};
    words.insert(words.end(), more.begin(), more.end());
    runner_.emplace(machine_.Start(words, Logging("runner.log"), "writ-server"));
  }
  StartOptions Logging(const std::string& name) {
    logs_.push_back(sys::OpenFile(machine_.Write(name, ""), O_WRONLY | O_APPEND).value());
    StartOptions options;
    options.stderr_fd = logs_.back().get();
    return options;
  }
  std::string Log(const std::string& name) const { return sys::ReadFile(machine_.File(name), 16 << 20).value_or("no log"); }

  Machine machine_;
  std::string admin_, enroll_;
  std::vector<sys::UniqueFd> logs_;
  std::optional<Process> server_, runner_;
};

using PlaneTls = ServedPlaneTest;

TEST_F(PlaneTls, RunSubmitAndLoginWithAnAuthorityOfOnesOwn) {
  WRIT_NEEDS_SERVER();
  const net::TestIdentity ca("ca"), other("other"), own("localhost", &ca);
  const std::string url = "https://localhost:" + Serve({"--tls-cert", own.cert_file(), "--tls-key", own.key_file()});
  StartRunner({"--plane", url, "--ca-file", ca.cert_file()});
  const std::vector<std::string> with = {"--plane", url, "--token-file", admin_};
  const auto words = [&](std::vector<std::string> first, const std::vector<std::string>& then) {
    first.insert(first.end(), with.begin(), with.end());
    first.insert(first.end(), then.begin(), then.end());
    return first;
  };
  const Ended run = machine_.Run(words({"run", "--ca-file", ca.cert_file()}, {"--", "echo", "hi"}));
  EXPECT_EQ(run.status, 0) << run.err << Log("serve.log") << Log("runner.log");
  EXPECT_EQ(run.out, "hi\n");
  const Ended untrusted = machine_.Run(words({"run"}, {"--", "echo", "hi"}));
  EXPECT_EQ(untrusted.status, 125) << "the system does not know this authority";
  EXPECT_THAT(untrusted.err, HasSubstr("certificate"));
  EXPECT_EQ(machine_.Run(words({"run", "--ca-file", other.cert_file()}, {"--", "echo", "hi"})).status, 125);
  EXPECT_EQ(machine_.Run({"plane", "login", "--name", "safe", "--token-file", admin_, "--ca-file", ca.cert_file(), url}).status, 0);
  const Ended submitted = machine_.Run({"submit", "--no-workspace", "--wait", "--plane", "safe", "--", "echo", "hi"});
  EXPECT_EQ(submitted.status, 0) << submitted.err << Log("serve.log");
  const std::string by_number = "https://127.0.0.1" + url.substr(url.rfind(':'));
  EXPECT_EQ(machine_.Run({"run", "--plane", by_number, "--token-file", admin_, "--ca-file", ca.cert_file(), "--", "true"}).status, 125)
      << "another name than the certificate's";
}

TEST_F(PlaneTls, APlaneThatWantsCertificatesTakesThemFromClientAndRunner) {
  WRIT_NEEDS_SERVER();
  const net::TestIdentity ca("ca"), people("people"), own("localhost", &ca), me("alice", &people), machine("runner-1", &people),
      stranger("alice", &ca);
  const std::string url = "https://localhost:" + Serve({"--tls-cert", own.cert_file(), "--tls-key", own.key_file(), "--client-ca", people.cert_file()});
  StartRunner({"--plane", url, "--ca-file", ca.cert_file(), "--client-cert", machine.cert_file(), "--client-key", machine.key_file()});
  const std::vector<std::string> login = {"plane", "login", "--name", "safe", "--token-file", admin_, "--ca-file", ca.cert_file()};
  auto with = login;
  with.insert(with.end(), {"--client-cert", me.cert_file(), "--client-key", me.key_file(), url});
  auto without = login;
  without.push_back(url);
  EXPECT_EQ(machine_.Run(without).status, 1) << "no certificate, no login";
  auto half = login;
  half.insert(half.end(), {"--client-cert", me.cert_file(), url});
  EXPECT_THAT(machine_.Run(half).err, HasSubstr("--client-cert and --client-key come together"));
  auto foreign = login;
  foreign.insert(foreign.end(), {"--client-cert", stranger.cert_file(), "--client-key", stranger.key_file(), url});
  EXPECT_EQ(machine_.Run(foreign).status, 1) << "a certificate of another authority";
  const Ended logged_in = machine_.Run(with);
  ASSERT_EQ(logged_in.status, 0) << logged_in.err << Log("serve.log");
  const Ended run = machine_.Run({"run", "--plane", "safe", "--", "echo", "hi"});
  EXPECT_EQ(run.status, 0) << run.err << Log("serve.log") << Log("runner.log");
  EXPECT_EQ(run.out, "hi\n");
  const Ended named = machine_.Run({"run", "-q", "--plane", url, "--token-file", admin_, "--ca-file", ca.cert_file(), "--client-cert",
                                    me.cert_file(), "--client-key", me.key_file(), "--", "echo", "named"});
  EXPECT_EQ(named.out, "named\n") << named.err;
}

using PlaneApproval = ServedPlaneTest;

TEST_F(PlaneApproval, Attack15_WhatARequesterHidesIsSeenByWhoApproves) {
  WRIT_NEEDS_SERVER();
  const std::string url = "http://127.0.0.1:" + Serve({"--with-runner"}, R"([{"when":"any-run","approvers":["admin"]}])");
  const std::vector<std::string> plane = {"--plane", url, "--token-file", admin_};
  const auto with = [&](std::vector<std::string> words, const std::vector<std::string>& more = {}) {
    words.insert(words.end(), plane.begin(), plane.end());
    words.insert(words.end(), more.begin(), more.end());
    return words;
  };
  // Padding, a title and hidden text for the terminal, a text that runs backwards, a letter that looks like another.
  const std::string hidden = "echo fine" + std::string(400, ' ') + "; curl \u0430pi.example.org\x1b[8m\x1b]0;x\x07\u202e";
  const Ended asked = machine_.Run(with({"submit", "--no-workspace"}, {"--", "sh", "-c", hidden, "two words", "two", "words"}));
  ASSERT_EQ(asked.status, 0) << asked.err;
  const std::string id = asked.out.substr(0, asked.out.find('\n'));
  for (const auto& words : {with({"pending", "--full"}), with({"pending"}), with({"approve", "--yes"}, {id})}) {
    const Ended shown = machine_.Run(words);
    const std::string text = shown.out + shown.err;
    EXPECT_EQ(shown.status, 0) << shown.err;
    EXPECT_EQ(text.find('\x1b'), std::string::npos);
    EXPECT_EQ(text.find("\u202e"), std::string::npos);
    EXPECT_EQ(text.find(std::string(50, ' ') + ";"), std::string::npos);
    if (words[0] == "pending" && words[1] != "--full") continue;
    EXPECT_THAT(text, HasSubstr("400 blanks"));
    EXPECT_THAT(text, HasSubstr("not ASCII: U+0430"));
    EXPECT_THAT(text, HasSubstr("\"two words\"")) << "each word of the command by itself";
  }
}

class PlaneIdentity : public ServedPlaneTest {
 protected:
  static std::string Token(const crypto::JwsMaker& maker, const std::string& subject, std::int64_t lives_s = 300,
                           const std::string& issuer = kIssuer, const std::string& audience = "writ") {
    const std::int64_t now = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
    return maker.SignWith(R"({"alg":")" + maker.algorithm() + R"(","kid":")" + maker.kid() + R"("})",
                          canon::Compact(Json::Of({{"iss", issuer}, {"aud", audience}, {"sub", subject}, {"exp", now + lives_s}})));
  }
};

TEST_F(PlaneIdentity, ATokenOfThePinnedProviderApprovesFromTheCommandLine) {
  WRIT_NEEDS_SERVER();
  const crypto::JwsMaker idp("ES256", "k1"), forger("ES256", "k1");
  const std::string jwks = machine_.Write("jwks.json", "{\"keys\":[" + idp.PublicJwk() + "]}");
  const std::string url = "http://127.0.0.1:" + Serve({"--with-runner", "--idp-issuer", kIssuer, "--idp-audience", "writ", "--idp-jwks", jwks},
                                                      R"([{"when":"any-run","approvers":["bob@example.org"]}])");
  // The panel of a company: it may pass approvals on, and is itself nobody who may give them.
  const std::string panel = machine_.File("panel.token");
  ASSERT_EQ(machine_.Run({"principals", "add", "panel", "approver", "-o", panel, "--plane", url, "--token-file", admin_}).status, 0);
  const std::vector<std::string> admin = {"--plane", url, "--token-file", admin_}, as_panel = {"--plane", url, "--token-file", panel};
  const auto with = [](std::vector<std::string> words, const std::vector<std::string>& more) {
    words.insert(words.end(), more.begin(), more.end());
    return words;
  };
  const Ended asked = machine_.Run(with({"submit", "--no-workspace"}, with(admin, {"--", "echo", "hi"})));
  ASSERT_EQ(asked.status, 0) << asked.err << Log("serve.log");
  const std::string id = asked.out.substr(0, asked.out.find('\n'));
  const auto approve = [&](const std::string& token) {
    const std::string file = machine_.Write("id.token", token + "\n", 0600);
    return machine_.Run(with(with({"approve", "--yes"}, as_panel), {"--id-token-file", file, id}));
  };
  EXPECT_EQ(machine_.Run(with(with({"approve", "--yes"}, as_panel), {id})).status, 1) << "the panel is not bob";
  for (const auto& [token, why] : {std::pair{Token(forger, "bob@example.org"), "another key under the same name"},
                                   {Token(idp, "bob@example.org", -120), "expired"},
                                   {Token(idp, "bob@example.org", 300, "https://other.example"), "another issuer"},
                                   {Token(idp, "bob@example.org", 300, kIssuer, "somebody-else"), "for another audience"},
                                   {Token(idp, "eve@example.org"), "not an approver"},
                                   {std::string("x.y.z"), "no token"}}) {
    const Ended refused = approve(token);
    EXPECT_EQ(refused.status, 1) << why << refused.err;
    EXPECT_EQ(refused.err.find(token), std::string::npos) << "a token in a message";
  }
  EXPECT_EQ(machine_.Json(with({"pending", "--json"}, admin)).Find("approvals")->array().size(), 1u) << "nothing of that counted";
  const std::string good = Token(idp, "bob@example.org");
  const Ended approved = approve(good);
  EXPECT_EQ(approved.status, 0) << approved.err << Log("serve.log");
  EXPECT_EQ(approve(good).status, 1) << "single use";
  EXPECT_EQ(machine_.Run(with({"wait"}, with(admin, {id}))).status, 0) << Log("serve.log");
  EXPECT_THAT(machine_.Run(with({"show", "--json"}, with(admin, {id}))).out, HasSubstr("bob@example.org")) << "the contract says who";
  EXPECT_EQ(Log("serve.log").find(good), std::string::npos) << "no token in the log";
}

TEST_F(PlaneIdentity, ATokenOfThePinnedProviderApprovesOverHttp) {
  WRIT_NEEDS_SERVER();
  const crypto::JwsMaker idp("EdDSA", "k1");
  const std::string jwks = machine_.Write("jwks.json", "{\"keys\":[" + idp.PublicJwk() + "]}");
  const std::string url = "http://127.0.0.1:" + Serve({"--with-runner", "--idp-issuer", kIssuer, "--idp-audience", "writ", "--idp-jwks", jwks},
                                                      R"([{"when":"any-run","approvers":["bob"]}])");
  const Ended asked = machine_.Run({"submit", "--no-workspace", "--plane", url, "--token-file", admin_, "--", "echo", "hi"});
  ASSERT_EQ(asked.status, 0) << asked.err;
  const std::string id = asked.out.substr(0, asked.out.find('\n'));
  const auto post = [&](const std::string& token) {
    const Ended got = machine_.Start({"-sS", "-m", "20", "-H", "Authorization: Bearer admin-token-0123456789abcdef", "-d", "{\"idpToken\":\"" + token + "\"}",
                                      "-w", " %{http_code}", url + "/v1/runs/" + id + "/approve"}, {}, "/usr/bin/curl").Wait();
    return got.out;
  };
  EXPECT_THAT(post(Token(idp, "eve")), testing::EndsWith(" 403"));
  EXPECT_THAT(post(Token(idp, "bob", -120)), testing::EndsWith(" 401"));
  EXPECT_THAT(post(Token(idp, "bob")), testing::EndsWith(" 200"));
  EXPECT_EQ(machine_.Run({"wait", "--plane", url, "--token-file", admin_, id}).status, 0) << Log("serve.log");
}

}  // namespace
}  // namespace writ::cli_test
