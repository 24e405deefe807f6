#include "secrets/secret_store.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <thread>

#include "contract/sealed_file.h"
#include "crypto/sealed.h"
#include "secrets/edge_secret.h"
#include "secrets/master_key.h"
#include "sys/file.h"

namespace writ::secrets {
namespace {

crypto::SecretBytes Bytes(std::string_view text) { return crypto::SecretBytes::CopyOf(AsBytes(text)); }

Result<> Put(const SecretStore& store, const std::string& name, std::string_view value, const std::string& host = "") {
  return store.Update(
      [&](SecretRecords& records) -> Result<> {
        records[name] = {Bytes(value), host, "", "2030-01-01T00:00:00.000Z"};
        return {};
      },
      Deadline::After(Millis{60000}));
}

class SecretStoreTest : public testing::Test {
 protected:
  sys::TemporaryDirectory directory_ = sys::TemporaryDirectory::Create(testing::TempDir(), "secrets-").value();
  crypto::SecretBytes no_master_;
  std::string File(std::string_view name) const { return directory_.path() + "/" + std::string(name); }
};

TEST_F(SecretStoreTest, KeepsValuesSealedUnderAKeyFileOfItsOwn) {
  const SecretStore store(directory_.path(), no_master_);
  EXPECT_TRUE(store.Read().value().empty());
  EXPECT_FALSE(store.Exists());
  ASSERT_TRUE(Put(store, "TOKEN", "hunter2hunter2", "api.example.org"));
  ASSERT_TRUE(Put(store, "OTHER", std::string("\xff\x01\n\"bytes", 9)));
  const auto records = store.Read().value();
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records.at("TOKEN").value.text(), "hunter2hunter2");
  EXPECT_EQ(records.at("TOKEN").host, "api.example.org");
  EXPECT_EQ(records.at("OTHER").value.text(), std::string_view("\xff\x01\n\"bytes", 9));

  for (const char* name : {kStoreFile, kMasterFile}) {
    struct stat status{};
    ASSERT_EQ(::stat(File(name).c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, 0600u) << name;
  }
  const std::string sealed = sys::ReadFile(File(kStoreFile), 1 << 20).value();
  EXPECT_EQ(sealed.find("hunter2"), std::string::npos);
  EXPECT_EQ(sealed.find("TOKEN"), std::string::npos) << "names are sealed too";
  EXPECT_NE(sealed.find("warrant.sealed.v1"), std::string::npos);
}

TEST_F(SecretStoreTest, TheEnvironmentsMasterComesFirst) {
  const auto master = Bytes("correct horse battery staple");
  const SecretStore store(directory_.path(), master);
  ASSERT_TRUE(Put(store, "TOKEN", "hunter2hunter2"));
  EXPECT_NE(::access(File(kMasterFile).c_str(), F_OK), 0) << "no key file is needed";
  const auto other = Bytes("wrong horse");
  EXPECT_EQ(SecretStore(directory_.path(), other).Read().error().code, Code::kDenied);
  const auto missing = SecretStore(directory_.path(), no_master_).Read();
  EXPECT_EQ(missing.error().code, Code::kDenied);
  EXPECT_NE(missing.error().what.find("WRIT_MASTER_KEY"), std::string::npos);
  EXPECT_EQ(Put(SecretStore(directory_.path(), no_master_), "X", "yyyyyyyy").error().code, Code::kDenied)
      << "no new master is made over a store it would not open";
  EXPECT_NE(::access(File(kMasterFile).c_str(), F_OK), 0);
}

TEST_F(SecretStoreTest, AKeyFileOthersCanReadIsRefusedWithTheRemedy) {
  const SecretStore store(directory_.path(), no_master_);
  ASSERT_TRUE(Put(store, "TOKEN", "hunter2hunter2"));
  ASSERT_EQ(::chmod(File(kMasterFile).c_str(), 0644), 0);
  const auto refused = store.Read();
  EXPECT_EQ(refused.error().code, Code::kDenied);
  EXPECT_NE(refused.error().what.find("chmod 600"), std::string::npos);
  EXPECT_EQ(refused.error().what.find("hunter2"), std::string::npos);
}

TEST_F(SecretStoreTest, ChangedBytesAreRefusedAndAFailedChangeChangesNothing) {
  const SecretStore store(directory_.path(), no_master_);
  ASSERT_TRUE(Put(store, "TOKEN", "hunter2hunter2"));
  const std::string sealed = sys::ReadFile(File(kStoreFile), 1 << 20).value();
  EXPECT_FALSE(store.Update([](SecretRecords& records) -> Result<> {
    records.clear();
    return Fail(Code::kInvalid, "no");
  }, Deadline::After(Millis{60000})));
  EXPECT_EQ(sys::ReadFile(File(kStoreFile), 1 << 20).value(), sealed);
  std::string changed = sealed;
  const std::size_t data = changed.find("\"data\": \"") + 10;
  changed[data] = changed[data] == 'A' ? 'B' : 'A';
  ASSERT_TRUE(sys::WriteFileAtomic(File(kStoreFile), changed, 0600));
  EXPECT_EQ(store.Read().error().code, Code::kDenied);
  ASSERT_TRUE(sys::WriteFileAtomic(File(kStoreFile), std::string_view("{}"), 0600));
  EXPECT_EQ(store.Read().error().code, Code::kCorrupt);
}

TEST_F(SecretStoreTest, TwoWritersLoseNothing) {
  {
    std::vector<std::jthread> writers;
    for (int i = 0; i < 4; ++i) {
      writers.emplace_back([&, i] {
        const SecretStore store(directory_.path(), no_master_);
        EXPECT_TRUE(Put(store, fmt::format("NAME_{}", i), "hunter2hunter2"));
      });
    }
  }
  EXPECT_EQ(SecretStore(directory_.path(), no_master_).Read().value().size(), 4u);
}

TEST(Placeholder, CannotBeGuessedAndNamesTheSecret) {
  const std::string one = MakePlaceholder("TOKEN"), two = MakePlaceholder("TOKEN");
  EXPECT_TRUE(one.starts_with("writ-secret-TOKEN-"));
  EXPECT_EQ(one.size(), std::string_view("writ-secret-TOKEN-").size() + 32);
  EXPECT_NE(one, two);
}

}  // namespace
}  // namespace writ::secrets
