#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/bytes.h"
#include "canon/json.h"
#include "canon/number.h"
#include "canon/vectors_for_test.h"

namespace writ::canon {
namespace {

class CanonicalVectors : public testing::TestWithParam<test::VectorCase> {};

TEST_P(CanonicalVectors, JsonCase) {
  const test::VectorCase& c = GetParam();
  ASSERT_EQ(c.problem, "");
  const auto value = Parse(c.value.Find("jsonText")->string(), Mode::kWire);
  ASSERT_TRUE(value) << value.error().what;
  const std::string canonical = Canonical(*value).value();
  EXPECT_EQ(canonical, c.value.Find("canonical")->string());
  EXPECT_EQ(HexEncode(AsBytes(canonical)), c.value.Find("canonicalUtf8Hex")->string());
  EXPECT_EQ(Canonical(Parse(canonical, Mode::kStrict).value()).value(), canonical);
}
INSTANTIATE_TEST_SUITE_P(All, CanonicalVectors, testing::ValuesIn(test::VectorCases("canonical.json", "jsonCases")),
                         test::VectorCaseName);

// `valueCases` are JavaScript; those that this value type can express are written out here.
TEST(CanonicalValueVectors, ThoseThatCanBeExpressed) {
  const double nan = std::numeric_limits<double>::quiet_NaN(), infinity = std::numeric_limits<double>::infinity();
  const Json file = test::VectorFile("canonical.json");
  ASSERT_TRUE(file.is_object());
  int checked = 0;
  for (const Json& c : file.Find("valueCases")->array()) {
    const std::string& build = c.Find("build")->string();
    Json value;
    if (build == "{n:NaN}") value = Json::Of({{"n", nan}});
    else if (build == "[Infinity]") value = Json(Json::Array{infinity});
    else if (build == "-0") value = Json(-0.0);
    else continue;
    SCOPED_TRACE(build);
    ++checked;
    const auto canonical = Canonical(value);
    if (const std::string* error = c.FindString("error")) {
      ASSERT_FALSE(canonical);
      EXPECT_EQ(canonical.error().what, *error);
    } else {
      EXPECT_EQ(canonical.value(), c.Find("ok")->string());
    }
  }
  EXPECT_EQ(checked, 3);
}

TEST(Canonical, NumbersFollowEcmaScriptLayout) {
  struct Case {
    double value;
    const char* text;
  };
  const Case cases[] = {{0, "0"}, {-0.0, "0"}, {1e21, "1e+21"}, {1e20, "100000000000000000000"}, {0.000001, "0.000001"},
                        {1e-7, "1e-7"}, {123e-20, "1.23e-18"}, {-1.5, "-1.5"}, {9007199254740992, "9007199254740992"},
                        {9007199254740994, "9007199254740994"}, {1.7976931348623157e308, "1.7976931348623157e+308"},
                        {5e-324, "5e-324"}, {-12345678901234567890.0, "-12345678901234567000"}, {0.1 + 0.2, "0.30000000000000004"},
                        {4.35, "4.35"}, {1e22, "1e+22"}, {123456789.125, "123456789.125"}, {0.00001234, "0.00001234"}};
  for (const Case& c : cases) {
    std::string out;
    AppendNumber(out, c.value);
    EXPECT_EQ(out, c.text);
  }
}

TEST(Canonical, NamesSortByUtf16Units) {
  struct Case {
    std::string_view smaller, larger;
  };
  const Case cases[] = {
      {"", "a"}, {"a", "ab"}, {"B", "a"}, {"z", "\xE2\x82\xAC"},
      {"\xF0\x9F\x98\x80", "\xEF\xAC\xB3"},              // U+1F600 before U+FB33
      {"\xED\x9F\xBF", "\xF0\x90\x80\x80"},              // U+D7FF before U+10000
      {"\xED\xA0\x80", "\xF0\x90\x80\x80"},              // lone D800 is a prefix of D800 DC00
      {"\xF0\x90\x80\x80", "\xED\xA0\x80\xED\xB0\x81"},  // D800 DC00 before D800 DC01
      {"\xED\xA0\x80", "\xED\xB0\x80"},
      {"\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"},
      {"\xED\xAF\xBF", "\xEE\x80\x80"}};
  for (const Case& c : cases) {
    EXPECT_LT(CompareUtf16(c.smaller, c.larger), 0) << HexEncode(AsBytes(c.smaller));
    EXPECT_GT(CompareUtf16(c.larger, c.smaller), 0) << HexEncode(AsBytes(c.larger));
    EXPECT_EQ(CompareUtf16(c.larger, c.larger), 0);
  }
}

TEST(Canonical, LeavesOutOneMemberOfTheOutermostObjectOnly) {
  const Json value = Parse(R"({"b":{"signatures":1},"signatures":[],"a":2})", Mode::kStrict).value();
  EXPECT_EQ(CanonicalWithout(value, "signatures").value(), R"({"a":2,"b":{"signatures":1}})");
}

TEST(Canonical, SurrogatesJoinedAfterReadingAreOneCharacter) {
  EXPECT_EQ(Canonical(Json("\xED\xA0\xBD\xED\xB8\x80")).value(), "\"\xF0\x9F\x98\x80\"");
  EXPECT_EQ(Canonical(Json("\xED\xB8\x80\xED\xA0\xBD")).value(), "\"\\ude00\\ud83d\"");
}

TEST(Canonical, BytesThatAreNotUtf8NeverComeOut) {
  EXPECT_EQ(Canonical(Json("a\xFF")).value(), "\"a\xEF\xBF\xBD\"");
}

TEST(Canonical, RefusesNestingThatWouldOverflowTheStack) {
  Json value;
  for (int i = 0; i < 1001; ++i) {
    Json outer = Json::MakeArray();
    outer.Append(std::move(value));
    value = std::move(outer);
  }
  const auto canonical = Canonical(value);
  ASSERT_FALSE(canonical);
  EXPECT_EQ(canonical.error().code, Code::kExhausted);
}

}  // namespace
}  // namespace writ::canon
