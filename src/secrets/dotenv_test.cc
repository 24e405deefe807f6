#include "secrets/dotenv.h"

#include <gtest/gtest.h>

#include "secrets/record.h"

namespace writ::secrets {
namespace {

TEST(Dotenv, ReadsBareAndQuotedValues) {
  const auto entries = ParseDotenv("# comment\n\nA=plain-value\r\nB='with space $HOME # \\n'\nC=\"line\\none \\\"two\\\" \\$x\\\\\"\nD=\"last\\tvalue\"");
  ASSERT_TRUE(entries) << entries.error().what;
  ASSERT_EQ(entries->size(), 4u);
  EXPECT_EQ(entries->at(0).name, "A");
  EXPECT_EQ(entries->at(0).value.text(), "plain-value");
  EXPECT_EQ(entries->at(1).value.text(), "with space $HOME # \\n");
  EXPECT_EQ(entries->at(2).value.text(), "line\none \"two\" $x\\");
  EXPECT_EQ(entries->at(3).value.text(), "last\tvalue");
}

TEST(Dotenv, RefusesWhatReadersDisagreeAboutAndNeverQuotesIt) {
  for (const char* line : {"export A=hunter2", "A = hunter2", " A=hunter2", "A", "9A=hunter2", "A=hunter2 b", "A=hunter2#b", "A=$hunter2",
                           "A=\"hunter2", "A='hunter2", "A='hunter2'x", "A=\"hunter2$x\"", "A=\"hunter2\\q\"", "A=hun", "A=", "=hunter2",
                           "A=hunter2\nA=hunter2", "A=\"hunter2\\\"", "A=hunter2`x`"}) {
    const auto refused = ParseDotenv(line);
    ASSERT_FALSE(refused) << line;
    EXPECT_EQ(refused.error().code, Code::kInvalid);
    EXPECT_NE(refused.error().what.find("line "), std::string::npos);
    EXPECT_EQ(refused.error().what.find("hunter2"), std::string::npos) << refused.error().what;
  }
}

TEST(Dotenv, BoundsHold) {
  EXPECT_EQ(ParseDotenv(std::string(kDotenvBytesMax + 1, '#')).error().code, Code::kExhausted);
  std::string many;
  for (std::size_t i = 0; i <= kSecretsMax; ++i) many += fmt::format("N{}=hunter2\n", i);
  EXPECT_EQ(ParseDotenv(many).error().code, Code::kExhausted);
  EXPECT_EQ(ParseDotenv("A=" + std::string(kValueBytesMax + 1, 'x')).error().code, Code::kExhausted);
}

}  // namespace
}  // namespace writ::secrets
