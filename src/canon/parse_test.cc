#include <gtest/gtest.h>

#include <cmath>

#include "canon/json.h"

namespace writ::canon {
namespace {

TEST(Parse, RefusesWhatIsNotJson) {
  struct Case {
    std::string_view text, error;
  };
  const Case cases[] = {
      {"", "JSON line 1 column 1: the text ends where a value should follow"},
      {" \n ", "JSON line 2 column 2: the text ends where a value should follow"},
      {"\xEF\xBB\xBF{}", "JSON line 1 column 1: a byte order mark is not allowed; remove the first three bytes"},
      {"{}x", "JSON line 1 column 3: unexpected text after the value"},
      {"[1,]", "JSON line 1 column 4: expected a value, found ']'"},
      {"[1 2]", "JSON line 1 column 4: expected ',' or ']', found '2'"},
      {"{\"a\" 1}", "JSON line 1 column 6: expected ':', found '1'"},
      {"{\"a\":1,}", "JSON line 1 column 8: expected a member name in double quotes, found '}'"},
      {"{a:1}", "JSON line 1 column 2: expected a member name in double quotes, found 'a'"},
      {"\"a", "JSON line 1 column 3: the text ends where the closing '\"' of a string should follow"},
      {"\"\x01\"", "JSON line 1 column 2: a control character inside a string must be written \\u0001"},
      {"\"\\x\"", "JSON line 1 column 2: an escape is one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX"},
      {"\"\\u12g4\"", "JSON line 1 column 2: \\u needs four hex digits"},
      {"\"\\u-123\"", "JSON line 1 column 2: \\u needs four hex digits"},
      {"01", "JSON line 1 column 1: a number must not begin with a spare zero"},
      {"-", "JSON line 1 column 2: the text ends where a digit should follow"},
      {"+1", "JSON line 1 column 1: expected a value, found '+'"},
      {".5", "JSON line 1 column 1: expected a value, found '.'"},
      {"1.", "JSON line 1 column 3: the text ends where a digit after the decimal point should follow"},
      {"1e+", "JSON line 1 column 4: the text ends where a digit of the exponent should follow"},
      {"tru", "JSON line 1 column 1: expected a value, found 't'"},
      {"NaN", "JSON line 1 column 1: expected a value, found 'N'"},
      {"\x1b", "JSON line 1 column 1: expected a value, found '\\u{1b}'"},
  };
  for (const Case& c : cases) {
    for (const Mode mode : {Mode::kWire, Mode::kStrict}) {
      const auto parsed = Parse(c.text, mode);
      ASSERT_FALSE(parsed) << c.text;
      EXPECT_EQ(parsed.error().code, Code::kInvalid);
      EXPECT_EQ(parsed.error().what, c.error);
    }
  }
}

TEST(Parse, LastOfDuplicateNamesWinsOnTheWire) {
  EXPECT_EQ(Compact(Parse(R"({"a":1,"b":2,"a":3})", Mode::kWire).value()), R"({"a":3,"b":2})");
  EXPECT_EQ(Compact(Parse(R"({"a":1,"\u0061":{"x":0}})", Mode::kWire).value()), R"({"a":{"x":0}})");
}

TEST(Parse, DuplicateNamesAreAnErrorWhenStrict) {
  const auto parsed = Parse("[{\"a\":1,\n\"\\u0061\":2}]", Mode::kStrict);
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().what, "JSON line 1 column 2: the object that begins here has two members named \"a\"");
}

TEST(Parse, ManyMembersAndManyDuplicatesAreLinear) {
  std::string distinct = "{", same = "{";
  for (int i = 0; i < 100000; ++i) {
    distinct += (i > 0 ? ",\"m" : "\"m") + std::to_string(i) + "\":0";
    same += (i > 0 ? ",\"m\":" : "\"m\":") + std::to_string(i);
  }
  const Json many = Parse(distinct + "}", Mode::kStrict).value();
  EXPECT_EQ(many.object().size(), 100000u);
  EXPECT_TRUE(many == many);
  EXPECT_EQ(Compact(Parse(same + "}", Mode::kWire).value()), R"({"m":99999})");
  EXPECT_FALSE(Parse(same + "}", Mode::kStrict));
}

TEST(Parse, DepthIsBounded) {
  const auto nest = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_TRUE(Parse(nest(128), Mode::kWire));
  const auto deep = Parse(nest(129), Mode::kWire);
  ASSERT_FALSE(deep);
  EXPECT_EQ(deep.error().code, Code::kExhausted);
  EXPECT_TRUE(Parse(nest(1000), Mode::kWire, {.depth_max = 1000000}));
  EXPECT_FALSE(Parse(nest(1001), Mode::kWire, {.depth_max = 1000000}));
  EXPECT_FALSE(Parse(std::string(1000000, '['), Mode::kWire, {.depth_max = 1000000}));
  std::string objects;
  for (int i = 0; i < 200; ++i) objects += "{\"a\":";
  EXPECT_FALSE(Parse(objects, Mode::kWire));
}

TEST(Parse, SizeAndValuesAreBounded) {
  EXPECT_EQ(Parse("[1,2,3]", Mode::kWire, {.bytes_max = 6}).error().code, Code::kExhausted);
  EXPECT_TRUE(Parse("[1,2,3]", Mode::kWire, {.values_max = 4}));
  EXPECT_EQ(Parse("[1,2,3]", Mode::kWire, {.values_max = 3}).error().code, Code::kExhausted);
}

TEST(Parse, NumbersBeyondTheRangeOfADouble) {
  const auto wire = [](std::string_view text) { return Parse(text, Mode::kWire).value().number(); };
  EXPECT_TRUE(std::isinf(wire("1e309")));
  EXPECT_TRUE(std::isinf(wire("-1e99999999999999999999999")));
  EXPECT_LT(wire("-1e309"), 0);
  EXPECT_EQ(wire("2e-400"), 0);
  EXPECT_EQ(wire("1e-99999999999999999999999"), 0);
  EXPECT_EQ(wire("0e999999"), 0);
  EXPECT_EQ(wire("0.0000e400"), 0);
  EXPECT_EQ(wire("0." + std::string(400, '0') + "1e401"), 1);
  EXPECT_TRUE(std::isinf(wire("0." + std::string(400, '0') + "1e801")));
  EXPECT_TRUE(std::isinf(wire(std::string(400, '9'))));
  EXPECT_EQ(wire("1" + std::string(400, '0') + "e-400"), 1);
  EXPECT_FALSE(Canonical(Parse("[1e309]", Mode::kWire).value()));
  EXPECT_FALSE(Parse("1e309", Mode::kStrict));
  EXPECT_TRUE(Parse("2e-400", Mode::kStrict));
}

TEST(Parse, ReadsTheDoubleNearestToTheText) {
  EXPECT_EQ(Parse("9007199254740993", Mode::kStrict)->number(), 9007199254740992.0);
  EXPECT_EQ(Parse("999999999999999", Mode::kStrict)->number(), 999999999999999.0);
  EXPECT_TRUE(std::signbit(Parse("-0", Mode::kStrict)->number()));
  EXPECT_EQ(Parse("0.1", Mode::kStrict)->number(), 0.1);
  EXPECT_EQ(Parse("2.2250738585072011e-308", Mode::kStrict)->number(), 2.2250738585072011e-308);
}

TEST(Parse, BytesThatAreNotUtf8) {
  const auto strict = Parse("[\"ab\xFF\"]", Mode::kStrict);
  ASSERT_FALSE(strict);
  EXPECT_EQ(strict.error().what, "JSON line 1 column 5: byte 0xff at offset 4 is not UTF-8");
  EXPECT_EQ(Parse("\"a\xE2\x82z\xED\xA0\x80\"", Mode::kWire)->string(),
            "a\xEF\xBF\xBDz\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_FALSE(Parse("\xFF", Mode::kWire));
}

TEST(Parse, LoneSurrogatesSurvive) {
  const Json value = Parse(R"(["\ud800","\udc00\ud800x","\ud83d\ude00"])", Mode::kStrict).value();
  EXPECT_EQ(value.array()[0].string(), "\xED\xA0\x80");
  EXPECT_EQ(value.array()[2].string(), "\xF0\x9F\x98\x80");
  EXPECT_EQ(Canonical(value).value(), "[\"\\ud800\",\"\\udc00\\ud800x\",\"\xF0\x9F\x98\x80\"]");
}

TEST(Parse, NulIsDataInsideAndRefusedOutside) {
  EXPECT_EQ(Parse(R"("a\u0000b")", Mode::kStrict)->string(), std::string("a\0b", 3));
  EXPECT_FALSE(Parse(std::string_view("1\0", 2), Mode::kWire));
}

TEST(Parse, EveryPrefixOfAValidTextIsRefused) {
  const std::string text = R"({"a":[1.5e3,true,null,"x\u00e9\n"],"b":{"c":-2}})";
  ASSERT_TRUE(Parse(text, Mode::kStrict));
  for (std::size_t length = 0; length < text.size(); ++length) {
    EXPECT_FALSE(Parse(text.substr(0, length), Mode::kStrict)) << length;
  }
}

}  // namespace
}  // namespace writ::canon
