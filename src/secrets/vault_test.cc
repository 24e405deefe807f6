// The exchanges of the key-value engine version 2 as its documentation has them, with a server of our own; and with a
// real one where WRIT_TEST_VAULT_* names it.
#include "secrets/vault.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>

#include "secrets/vault_server_for_test.h"
#include "sys/file.h"

namespace writ::secrets {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::string_view kBody =
    R"({"request_id":"1","data":{"data":{"password":"from \"vault\" ä","n":7},"metadata":{"version":1}},"auth":null})";

std::string Answer(std::string_view body, std::string_view status = "200 OK") {
  return fmt::format("HTTP/1.1 {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{}", status, body.size(), body);
}

class VaultTest : public testing::Test {
 protected:
  Result<std::string> Fetch(std::string_view place, const std::map<std::string, std::string>& settings, std::string_view token = "s.token-1",
                            Millis patience = Millis{20'000}) {
    const EnvLookup env = [&](std::string_view name) -> std::optional<std::string> {
      const auto found = settings.find(std::string(name));
      return found == settings.end() ? std::nullopt : std::optional(found->second);
    };
    const auto value = FetchFromVault(place, env, crypto::SecretBytes::CopyOf(AsBytes(token)), Deadline::After(patience));
    if (!value) return std::unexpected(value.error());
    return std::string(value->text());
  }
  std::string Pem(const TestCertificate& certificate) {
    const std::string path = directory_.path() + "/ca.pem";
    EXPECT_TRUE(sys::WriteFileAtomic(path, certificate.Pem(), 0600));
    return path;
  }
  sys::TemporaryDirectory directory_ = sys::TemporaryDirectory::Create(testing::TempDir(), "vault-").value();
};

TEST_F(VaultTest, ReadsAFieldOverVerifiedTls) {
  const TestCertificate certificate("localhost");
  TestServer server(Answer(kBody), &certificate);
  const std::string address = fmt::format("https://localhost:{}", server.port);
  const auto value = Fetch("kv/team a/app#password", {{"VAULT_ADDR", address}, {"VAULT_CACERT", Pem(certificate)}, {"VAULT_NAMESPACE", "team"}});
  ASSERT_TRUE(value) << value.error().what;
  EXPECT_EQ(*value, "from \"vault\" ä");
  EXPECT_THAT(server.request(), HasSubstr("GET /v1/kv/data/team%20a/app HTTP/1.1\r\n"));
  EXPECT_THAT(server.request(), HasSubstr("\r\nX-Vault-Token: s.token-1\r\n"));
  EXPECT_THAT(server.request(), HasSubstr("\r\nX-Vault-Namespace: team\r\n"));
  EXPECT_THAT(server.request(), HasSubstr(fmt::format("\r\nHost: localhost:{}\r\n", server.port)));
}

TEST_F(VaultTest, ACertificateThatDoesNotHoldGetsNoToken) {
  const TestCertificate right("localhost"), other("vault.example");
  TestServer named(Answer(kBody), &other);
  auto refused = Fetch("kv/app#password", {{"VAULT_ADDR", fmt::format("https://localhost:{}", named.port)}, {"VAULT_CACERT", Pem(other)}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kDenied) << refused.error().what;
  EXPECT_EQ(named.request(), "") << "the token never went out";
  TestServer unknown(Answer(kBody), &right);
  refused = Fetch("kv/app#password", {{"VAULT_ADDR", fmt::format("https://localhost:{}", unknown.port)}, {"VAULT_CACERT", Pem(other)}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kDenied) << refused.error().what;
  EXPECT_EQ(unknown.request(), "");
  // An address is compared as an address: this certificate has none.
  refused = Fetch("kv/app#password", {{"VAULT_ADDR", fmt::format("https://127.0.0.1:{}", unknown.port)}, {"VAULT_CACERT", Pem(right)}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kDenied) << refused.error().what;
}

TEST_F(VaultTest, PlainHttpStaysOnThisMachine) {
  TestServer server(Answer(kBody));
  EXPECT_EQ(Fetch("kv/app#password", {{"VAULT_ADDR", fmt::format("http://127.0.0.1:{}", server.port)}}).value_or(""), "from \"vault\" ä");
  const auto refused = Fetch("kv/app#password", {{"VAULT_ADDR", "http://192.0.2.1:8200"}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kDenied);
}

TEST_F(VaultTest, WhatVaultAnswersDecidesTheError) {
  struct Case {
    const char* why;
    std::string answer;
    Code code;
  };
  const Case cases[] = {
      {"no such secret", Answer(R"({"errors":[]})", "404 Not Found"), Code::kNotFound},
      {"a refused token", Answer(R"({"errors":["permission denied"]})", "403 Forbidden"), Code::kDenied},
      {"sealed", Answer(R"({"errors":["Vault is sealed"]})", "503 Service Unavailable"), Code::kUnavailable},
      {"a redirect is not followed", "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://evil.example/\r\nContent-Length: 0\r\n\r\n", Code::kUnavailable},
      {"version 1 of the engine", Answer(R"({"data":{"password":"hunter2"}})"), Code::kCorrupt},
      {"no field", Answer(R"({"data":{"data":{"other":"hunter2"}}})"), Code::kNotFound},
      {"a number", Answer(R"({"data":{"data":{"password":7}}})"), Code::kInvalid},
      {"no JSON", Answer("<html>"), Code::kCorrupt},
      {"no HTTP", "hello\r\n\r\n", Code::kCorrupt},
      {"cut short", "HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{\"data\"", Code::kCorrupt},
      {"without a length", "HTTP/1.1 200 OK\r\n\r\n" + std::string(kBody), Code::kCorrupt},
      {"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}", Code::kCorrupt},
      {"too large", "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", Code::kExhausted},
      {"an endless head", "HTTP/1.1 200 OK\r\nX: " + std::string(200 << 10, 'x'), Code::kCorrupt},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.why);
    TestServer server(c.answer);
    const auto refused = Fetch("kv/app#password", {{"VAULT_ADDR", fmt::format("http://127.0.0.1:{}", server.port)}});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, c.code) << refused.error().what;
    EXPECT_THAT(refused.error().what, Not(HasSubstr("hunter2")));
    EXPECT_THAT(refused.error().what, Not(HasSubstr("s.token-1")));
  }
  TestServer chunked(fmt::format("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{}\r\n0\r\n\r\n", kBody.size(), kBody));
  EXPECT_EQ(Fetch("kv/app#password", {{"VAULT_ADDR", fmt::format("http://127.0.0.1:{}", chunked.port)}}).value_or(""), "from \"vault\" ä");
}

TEST_F(VaultTest, ASilentServerIsLeftAtTheDeadline) {
  const sys::UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  ASSERT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(listener.get(), 1), 0);
  ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size);
  for (const char* scheme : {"http", "https"}) {
    const auto late = Fetch("kv/app#password", {{"VAULT_ADDR", fmt::format("{}://127.0.0.1:{}", scheme, ntohs(address.sin_port))}}, "t", Millis{200});
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code, Code::kDeadline) << late.error().what;
  }
}

TEST_F(VaultTest, PlacesAddressesAndTokensAreChecked) {
  for (const char* place : {"", "kv", "kv#f", "kv/app", "kv/app#", "/app#f", "kv//app#f", "kv/../app#f", "kv/./a#f", "#f", "k#v/a"}) {
    EXPECT_EQ(ParseVaultPlace(place).error().code, Code::kInvalid) << place;
  }
  EXPECT_EQ(ParseVaultPlace("kv/a/b#c#d").value().path, "a/b#c");
  for (const char* address : {"ftp://x", "x", "https://", "https://u@h", "https://h/path", "https://h:0", "https://h:99999", "https://h:1x", "https://[::1", "https://h\r\nX: y"}) {
    EXPECT_EQ(Fetch("kv/a#f", {{"VAULT_ADDR", address}}).error().code, Code::kInvalid) << address;
  }
  EXPECT_EQ(Fetch("kv/a#f", {}, "bad token\r\nX: y").error().code, Code::kInvalid);
  EXPECT_EQ(Fetch("kv/a#f", {}, "").error().code, Code::kNotFound);
  const std::string token = directory_.path() + "/.vault-token";
  ASSERT_TRUE(sys::WriteFileAtomic(token, std::string_view("s.from-file\n"), 0644));
  EXPECT_EQ(Fetch("kv/a#f", {{"HOME", directory_.path()}}, "").error().code, Code::kDenied) << "others can read it";
  ASSERT_TRUE(sys::WriteFileAtomic(token, std::string_view("s.from-file\n"), 0600));
  TestServer server(Answer(kBody));
  EXPECT_TRUE(Fetch("kv/a#password", {{"HOME", directory_.path()}, {"VAULT_ADDR", fmt::format("http://127.0.0.1:{}", server.port)}}, ""));
  EXPECT_THAT(server.request(), HasSubstr("X-Vault-Token: s.from-file\r\n"));
}

/// The settings of a real server in development mode, started by whoever runs the tests: docs/formats/secrets.md says how.
TEST_F(VaultTest, ARealServerAnswers) {
  const char* address = std::getenv("WRIT_TEST_VAULT_ADDR");
  const char* ca = std::getenv("WRIT_TEST_VAULT_CACERT");
  const char* token = std::getenv("WRIT_TEST_VAULT_TOKEN");
  const char* place = std::getenv("WRIT_TEST_VAULT_PLACE");
  const char* expected = std::getenv("WRIT_TEST_VAULT_VALUE");
  if (!address || !ca || !token || !place || !expected) GTEST_SKIP() << "no real server is named by WRIT_TEST_VAULT_*";
  const std::map<std::string, std::string> settings{{"VAULT_ADDR", address}, {"VAULT_CACERT", ca}};
  EXPECT_EQ(Fetch(place, settings, token).value_or("(error)"), expected);
  EXPECT_EQ(Fetch(place, settings, "wrong").error().code, Code::kDenied);
  EXPECT_EQ(Fetch(std::string(place) + "-none", settings, token).error().code, Code::kNotFound);
  EXPECT_EQ(Fetch("secret/there/is/none#x", settings, token).error().code, Code::kNotFound);
}

}  // namespace
}  // namespace writ::secrets
