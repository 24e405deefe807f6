#include "canon/json.h"

#include <gtest/gtest.h>

#include <limits>

namespace writ::canon {
namespace {

TEST(Json, SetReplacesAndKeepsOrder) {
  Json value = Json::MakeObject();
  value.Set("b", 1).Set("a", "x").Set("b", true);
  EXPECT_EQ(Compact(value), R"({"b":true,"a":"x"})");
  value.Remove("b");
  EXPECT_EQ(value.Find("b"), nullptr);
  EXPECT_EQ(*value.FindString("a"), "x");
  EXPECT_EQ(Json(1).Find("a"), nullptr);
  EXPECT_EQ(value.FindString("missing"), nullptr);
}

TEST(Json, EqualityIgnoresTheOrderOfMembersOnly) {
  const auto parse = [](std::string_view text) { return Parse(text, Mode::kStrict).value(); };
  EXPECT_TRUE(parse(R"({"a":1,"b":[{"x":1,"y":2}]})") == parse(R"({"b":[{"y":2,"x":1}],"a":1})"));
  EXPECT_FALSE(parse("[1,2]") == parse("[2,1]"));
  EXPECT_FALSE(parse(R"({"a":1})") == parse(R"({"a":1,"b":null})"));
  EXPECT_FALSE(parse(R"({"a":1})") == parse(R"({"b":1})"));
  EXPECT_FALSE(parse("0") == parse("false"));
}

TEST(JsonText, PrettyIsReadable) {
  EXPECT_EQ(Pretty(Parse(R"({"a":[1,{}],"b":[]})", Mode::kStrict).value()),
            "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": []\n}");
}

TEST(JsonText, HiddenCharactersAreEscapedAndReadBack) {
  const Json value = Json::Of({{"k\x7f", "a\x1b\n\xC2\x9B\xE2\x80\xAE\xF3\xA0\x81\x81\xED\xA0\x80 \xC3\xA9\"\\"}});
  const std::string text = Compact(value);
  EXPECT_EQ(text, "{\"k\\u007f\":\"a\\u001b\\n\\u009b\\u202e\\udb40\\udc41\\ud800 \xC3\xA9\\\"\\\\\"}");
  EXPECT_TRUE(Parse(text, Mode::kStrict).value() == value);
  EXPECT_TRUE(Parse(Pretty(value), Mode::kStrict).value() == value);
}

TEST(JsonText, InfinityIsWrittenAsNull) {
  EXPECT_EQ(Compact(Json(std::numeric_limits<double>::infinity())), "null");
}

}  // namespace
}  // namespace writ::canon
