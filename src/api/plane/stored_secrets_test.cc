#include "api/plane/stored_secrets.h"

#include <gtest/gtest.h>

#include <thread>

#include "secrets/secret_store.h"
#include "secrets/vault_server_for_test.h"
#include "sys/file.h"

namespace writ::api {
namespace {

class StoredSecretsTest : public testing::Test {
 protected:
  void Set(const std::string& name, std::string_view value, std::string source = "", std::string host = "") {
    const crypto::SecretBytes none;
    const auto set = secrets::SecretStore(directory_.path(), none).Update([&](secrets::SecretRecords& records) -> Result<> {
      secrets::SecretRecord record;
      record.value = crypto::SecretBytes::CopyOf(AsBytes(value));
      record.source = source;
      record.host = host;
      record.updated_at = "2026-03-01T12:00:00.000Z";
      records.insert_or_assign(name, std::move(record));
      return {};
    }, Deadline::After(Millis{10000}));
    ASSERT_TRUE(set) << set.error().what;
  }
  sys::TemporaryDirectory directory_ = *sys::TemporaryDirectory::Create(testing::TempDir(), "secrets");
  plane::SecretLookup lookup_ = StoredSecrets(directory_.path(), nullptr, [](std::string_view name) -> std::optional<std::string> {
    if (name == "DEPLOY_KEY") return "from the environment";
    return std::nullopt;
  });
};

TEST_F(StoredSecretsTest, ReadsWhatIsThereNow) {
  EXPECT_FALSE(lookup_("TOK")->has_value()) << "no store yet";
  Set("TOK", "first-value");
  EXPECT_EQ((*lookup_("TOK"))->value.text(), "first-value");
  EXPECT_FALSE(lookup_("OTHER")->has_value());
  Set("TOK", "second-value");
  EXPECT_EQ((*lookup_("TOK"))->value.text(), "second-value") << "the file has changed";
}

TEST_F(StoredSecretsTest, Sources) {
  Set("FROM_ENV", "", "env:DEPLOY_KEY");
  EXPECT_EQ((*lookup_("FROM_ENV"))->value.text(), "from the environment");
  Set("GONE", "", "env:NOT_THERE");
  EXPECT_FALSE(lookup_("GONE"));
  Set("BOUND", "some-value", "", "api.example.org");
  const auto bound = lookup_("BOUND");
  ASSERT_TRUE(bound && *bound);
  EXPECT_EQ((*bound)->host, "api.example.org");
  EXPECT_EQ((*bound)->value.text(), "some-value");
}

/// Asks until there is an answer.
Result<std::optional<plane::ReleasableSecret>> Await(const plane::SecretLookup& lookup, const std::string& name) {
  for (const Deadline end = Deadline::After(Millis{30'000});; std::this_thread::sleep_for(Millis{1})) {
    auto read = lookup(name);
    if (read || read.error().code != Code::kDeadline || end.Passed()) return read;
  }
}

TEST_F(StoredSecretsTest, AVaultIsAskedWhileOthersGoOn) {
  const std::string body = R"({"data":{"data":{"y":"from the vault"}}})";
  secrets::TestServer vault(fmt::format("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{}", body.size(), body));
  auto credentials = std::make_shared<secrets::Credentials>();
  credentials->vault_token = crypto::SecretBytes::CopyOf(AsBytes(std::string_view("s.token")));
  const auto lookup = StoredSecrets(directory_.path(), credentials, [&](std::string_view name) -> std::optional<std::string> {
    if (name == "VAULT_ADDR") return fmt::format("http://127.0.0.1:{}", vault.port);
    return std::nullopt;
  });
  Set("VAULT", "", "vault:secret/x#y");
  Set("BOUND", "", "vault:secret/x#y", "api.example.org");
  Set("LOST", "", "vault:secret/x#nothing");
  const auto first = lookup("VAULT");
  ASSERT_FALSE(first);
  EXPECT_EQ(first.error().code, Code::kDeadline) << first.error().what;
  const auto value = Await(lookup, "VAULT");
  ASSERT_TRUE(value) << value.error().what;
  EXPECT_EQ((*value)->value.text(), "from the vault");
  EXPECT_EQ((*value)->host, "");
  EXPECT_EQ((*Await(lookup, "BOUND"))->host, "api.example.org");
  const auto lost = Await(lookup, "LOST");
  ASSERT_FALSE(lost);
  EXPECT_NE(lost.error().code, Code::kDeadline);
}

}  // namespace
}  // namespace writ::api
