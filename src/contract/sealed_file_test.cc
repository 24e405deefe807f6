#include "contract/sealed_file.h"

#include <gtest/gtest.h>

#include "canon/vectors_for_test.h"

namespace writ::contract {
namespace {

class SealedFileVectors : public testing::TestWithParam<test::VectorCase> {};
TEST_P(SealedFileVectors, OpensAndEncodesTheSame) {
  ASSERT_EQ(GetParam().problem, "");
  const canon::Json& c = GetParam().value;
  const auto master = crypto::ReadMaster(*c.FindString("masterKey")).value();
  EXPECT_EQ(OpenText(canon::Compact(*c.Find("blob")), master).value().text(), *c.FindString("plaintext"));
  EXPECT_TRUE(ToJson(DecodeSealed(*c.Find("blob")).value()) == *c.Find("blob"));
  EXPECT_EQ(OpenText(canon::Compact(*c.Find("blob")), crypto::ReadMaster("wrong").value()).error().code, Code::kDenied);
}
INSTANTIATE_TEST_SUITE_P(All, SealedFileVectors, testing::ValuesIn(test::VectorCases("sealed.json", "cases")), test::VectorCaseName);

TEST(SealedFile, RoundTrips) {
  const auto master = crypto::ReadMaster("pass").value();
  EXPECT_EQ(OpenText(SealText(AsBytes("{}"), master).value(), master).value().text(), "{}");
}

TEST(SealedFile, WhatIsNoSealedFileIsCorrupt) {
  const auto master = crypto::ReadMaster("pass").value();
  for (const char* text : {"", "x", "{}", "[]", R"({"version":"warrant.sealed.v1"})", R"({"version":"warrant.sealed.v2","salt":"","iv":"","tag":"","data":""})",
                           R"({"version":"warrant.sealed.v1","salt":"!","iv":"","tag":"","data":""})",
                           R"({"version":"warrant.sealed.v1","salt":"","iv":"","tag":"","data":""})",
                           R"({"version":"warrant.sealed.v1","salt":1,"iv":"","tag":"","data":""})"}) {
    const auto opened = OpenText(text, master);
    ASSERT_FALSE(opened) << text;
    EXPECT_EQ(opened.error().code, Code::kCorrupt) << text;
  }
}

}  // namespace
}  // namespace writ::contract
