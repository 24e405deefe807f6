#include "api/plane/stored_secrets.h"

#include <gtest/gtest.h>

#include "secrets/secret_store.h"
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
  EXPECT_EQ((*lookup_("TOK"))->text(), "first-value");
  EXPECT_FALSE(lookup_("OTHER")->has_value());
  Set("TOK", "second-value");
  EXPECT_EQ((*lookup_("TOK"))->text(), "second-value") << "the file has changed";
}

TEST_F(StoredSecretsTest, Sources) {
  Set("FROM_ENV", "", "env:DEPLOY_KEY");
  EXPECT_EQ((*lookup_("FROM_ENV"))->text(), "from the environment");
  Set("GONE", "", "env:NOT_THERE");
  EXPECT_FALSE(lookup_("GONE"));
  Set("VAULT", "", "vault:secret/x#y");
  ASSERT_FALSE(lookup_("VAULT"));
  EXPECT_EQ(lookup_("VAULT").error().code, Code::kUnavailable);
  Set("BOUND", "some-value", "", "api.example.org");
  ASSERT_FALSE(lookup_("BOUND"));
  EXPECT_EQ(lookup_("BOUND").error().code, Code::kDenied);
}

}  // namespace
}  // namespace writ::api
