#include "secrets/record.h"

#include <gtest/gtest.h>

namespace writ::secrets {
namespace {

TEST(Records, SurviveARoundTrip) {
  SecretRecords records;
  records["A"] = {crypto::SecretBytes::CopyOf(AsBytes("value\n\x80 with bytes")), "h.example", "", "2030-01-01T00:00:00.000Z"};
  records["B"] = {{}, "", "file:/tmp/a \"quoted\" path", ""};
  const auto text = EncodeRecords(records).value();
  EXPECT_EQ(text.text().find("value\n"), std::string_view::npos);
  const auto again = DecodeRecords(text.text()).value();
  ASSERT_EQ(again.size(), 2u);
  EXPECT_EQ(again.at("A").value.text(), "value\n\x80 with bytes");
  EXPECT_EQ(again.at("A").host, "h.example");
  EXPECT_EQ(again.at("B").source, "file:/tmp/a \"quoted\" path");
  EXPECT_TRUE(again.at("B").value.empty());
  EXPECT_TRUE(DecodeRecords("{}").value().empty());
}

TEST(Records, AnythingElseIsRefused) {
  for (const char* text :
       {"", "[]", "{", "{\"A\":{}}", "{\"A\":{\"value\":\"\",\"source\":\"x\"}}", "{\"A\":{\"value\":\"!\"}}", "{\"A\":1}",
        "{\"9\":{\"value\":\"AAAA\"}}", "{\"A\":{\"value\":\"AAAA\"},\"A\":{\"value\":\"AAAA\"}}",
        "{\"A\":{\"value\":\"AAAA\",\"value\":\"AAAA\"}}", "{\"A\":{\"other\":\"AAAA\"}}", "{\"A\":{\"value\":\"AA\\u0041A\"}}",
        "{} ", "{\"A\":{\"value\":\"AAAA", "{\"A\":{\"host\":\"\\q\",\"value\":\"AAAA\"}}", "{\"A\":{\"host\":\"\\"}) {
    EXPECT_EQ(DecodeRecords(text).error().code, Code::kCorrupt) << text;
  }
}

TEST(Records, BoundsHold) {
  EXPECT_EQ(CheckValue("A", AsBytes("abc")).error().code, Code::kInvalid);
  EXPECT_TRUE(CheckValue("A", AsBytes("abcd")));
  EXPECT_EQ(CheckValue("A", AsBytes(std::string_view("abcd\0e", 6))).error().code, Code::kInvalid);
  EXPECT_TRUE(CheckValue("A", AsBytes(std::string(kValueBytesMax, 'x'))));
  EXPECT_EQ(CheckValue("A", AsBytes(std::string(kValueBytesMax + 1, 'x'))).error().code, Code::kExhausted);
  SecretRecords records;
  for (std::size_t i = 0; i <= kSecretsMax; ++i) records[fmt::format("N{}", i)] = {{}, "", "env:X", ""};
  EXPECT_EQ(EncodeRecords(records).error().code, Code::kExhausted);
}

}  // namespace
}  // namespace writ::secrets
