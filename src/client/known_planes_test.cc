#include "client/known_planes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <thread>

#include "sys/file.h"

namespace writ::client {
namespace {

using testing::HasSubstr;

class KnownPlanesTest : public testing::Test {
 protected:
  sys::TemporaryDirectory directory_ = sys::TemporaryDirectory::Create(testing::TempDir(), "planes").value();
  KnownPlanes planes_{directory_.path()};
  crypto::PublicKey one_ = crypto::PrivateKey::Generate().public_key(), two_ = crypto::PrivateKey::Generate().public_key();
  WallTime now_ = SystemClock{}.Now();
};

TEST_F(KnownPlanesTest, TheFirstKeyStaysTheKey) {
  EXPECT_EQ(planes_.Check("https://p.test:443", one_, now_).value(), KeyTrust::kFirstUse);
  EXPECT_EQ(planes_.Check("https://p.test:443", one_, now_).value(), KeyTrust::kKnown);
  const auto changed = planes_.Check("https://p.test:443", two_, now_);
  ASSERT_FALSE(changed);
  EXPECT_EQ(changed.error().code, Code::kDenied);
  EXPECT_THAT(changed.error().what, HasSubstr(one_.KeyId()));
  EXPECT_THAT(changed.error().what, HasSubstr(two_.KeyId()));
  EXPECT_THAT(changed.error().what, HasSubstr("writ plane forget https://p.test:443"));
  EXPECT_EQ(planes_.Check("https://q.test:443", two_, now_).value(), KeyTrust::kFirstUse) << "another plane, another key";
  ASSERT_TRUE(planes_.Remove("https://p.test:443"));
  EXPECT_EQ(planes_.Check("https://p.test:443", two_, now_).value(), KeyTrust::kFirstUse);
  EXPECT_EQ(planes_.Remove("https://nowhere").error().code, Code::kNotFound);
  struct stat status{};
  ASSERT_EQ(::stat((directory_.path() + "/known_planes").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST_F(KnownPlanesTest, AFileThatCannotBeReadTrustsNobody) {
  for (const char* text : {"garbage\n", "https://p ed25519:0000000000000000 AAAA 2026-01-01T00:00:00.000Z\n", "\xff\n",
                           "https://p ed25519:0000000000000000 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= 2026-01-01T00:00:00.000Z\n"}) {
    ASSERT_TRUE(sys::WriteFileAtomic(directory_.path() + "/known_planes", std::string_view(text), 0600));
    const auto checked = planes_.Check("https://p", one_, now_);
    ASSERT_FALSE(checked) << text;
    EXPECT_EQ(checked.error().code, Code::kCorrupt);
    EXPECT_THAT(checked.error().what, HasSubstr("line 1"));
  }
}

TEST_F(KnownPlanesTest, TwoAtOnceLoseNothing) {
  const auto learn = [&](const std::string& prefix) {
    for (int i = 0; i < 20; ++i) EXPECT_TRUE(planes_.Check(prefix + std::to_string(i), one_, now_));
  };
  std::thread other(learn, "https://b");
  learn("https://a");
  other.join();
  EXPECT_EQ(planes_.List()->size(), 40u);
}

TEST_F(KnownPlanesTest, ReadsWhatItWrites) {
  const std::string text = "# a comment\n\n" + RenderKnownPlanes({{"https://p:1/x", one_, FormatTimestamp(now_)}});
  const auto planes = ParseKnownPlanes(text);
  ASSERT_TRUE(planes) << planes.error().what;
  ASSERT_EQ(planes->size(), 1u);
  EXPECT_EQ(planes->front().key, one_);
}

}  // namespace
}  // namespace writ::client
