#include "crypto/key_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace writ::crypto {
namespace {

class KeyFile : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "writ-key-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string Path(const std::string& name) const { return folder_ + "/" + name; }
  void Write(const std::string& name, std::string_view text, mode_t mode) {
    std::ofstream(Path(name)) << text;
    ASSERT_EQ(::chmod(Path(name).c_str(), mode), 0);
  }
  std::string folder_;
};

TEST_F(KeyFile, IsMadeOnceWithMode0600) {
  const mode_t old = ::umask(0);
  const auto first = ReadOrCreateKeyFile(Path("k"));
  ::umask(old);
  ASSERT_TRUE(first) << first.error().what;
  struct stat status;
  ASSERT_EQ(::stat(Path("k").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600u);
  EXPECT_EQ(ReadOrCreateKeyFile(Path("k"))->key_id(), first->key_id());
  EXPECT_EQ(ReadPublicKeyFile(Path("k")).value(), first->public_key());
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);  // no temporary file stays
}

TEST_F(KeyFile, IsNeverReplaced) {
  Write("k", "something else", 0600);
  const auto created = CreateSecretFile(Path("k"), AsBytes("new"));
  ASSERT_FALSE(created);
  EXPECT_EQ(created.error().code, Code::kInvalid);
  EXPECT_EQ(ReadSecretFile(Path("k"))->text(), "something else");
  const auto key = ReadOrCreateKeyFile(Path("k"));
  ASSERT_FALSE(key);
  EXPECT_EQ(key.error().code, Code::kInvalid);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
}

TEST_F(KeyFile, WrongModeIsRefusedWithTheRemedy) {
  Write("k", PrivateKey::Generate().Pem().text(), 0640);
  const auto key = ReadKeyFile(Path("k"));
  ASSERT_FALSE(key);
  EXPECT_EQ(key.error().code, Code::kDenied);
  EXPECT_EQ(key.error().what, "read key file: " + Path("k") + " has mode 0640, so others can reach the secret in it: run chmod 600 " + Path("k"));
}

TEST_F(KeyFile, LinksFoldersPipesAndStrangersFilesAreRefused) {
  Write("real", PrivateKey::Generate().Pem().text(), 0600);
  ASSERT_EQ(::symlink(Path("real").c_str(), Path("link").c_str()), 0);
  EXPECT_EQ(ReadKeyFile(Path("link")).error().code, Code::kDenied);
  ASSERT_EQ(::mkfifo(Path("pipe").c_str(), 0600), 0);
  EXPECT_EQ(ReadKeyFile(Path("pipe")).error().code, Code::kDenied);
  EXPECT_EQ(ReadPublicKeyFile(Path("pipe")).error().code, Code::kDenied);
  EXPECT_EQ(ReadKeyFile(folder_).error().code, Code::kDenied);
  EXPECT_EQ(ReadKeyFile(Path("missing")).error().code, Code::kNotFound);
  if (::geteuid() == 0) {
    ASSERT_EQ(::chown(Path("real").c_str(), 12345, 12345), 0);
    EXPECT_EQ(ReadKeyFile(Path("real")).error().code, Code::kDenied);
  }
}

TEST_F(KeyFile, BrokenAndHugeFilesAreRefused) {
  Write("broken", "-----BEGIN PRIVATE KEY-----\n!!!!\n-----END PRIVATE KEY-----\n", 0600);
  EXPECT_EQ(ReadKeyFile(Path("broken")).error().code, Code::kInvalid);
  Write("empty", "", 0600);
  EXPECT_EQ(ReadKeyFile(Path("empty")).error().code, Code::kInvalid);
  Write("huge", std::string(100000, 'x'), 0600);
  EXPECT_EQ(ReadKeyFile(Path("huge")).error().code, Code::kExhausted);
  EXPECT_FALSE(CreateSecretFile(Path("no/such/folder"), AsBytes("x")));
}

TEST_F(KeyFile, PublicKeysMayBeReadableByAll) {
  const PrivateKey key = PrivateKey::Generate();
  Write("p.pem", key.public_key().Pem(), 0644);
  EXPECT_EQ(ReadPublicKeyFile(Path("p.pem")).value(), key.public_key());
}

}  // namespace
}  // namespace writ::crypto
