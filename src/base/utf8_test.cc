#include "base/utf8.h"

#include <gtest/gtest.h>

namespace writ {
namespace {

TEST(Utf8, DecodesEveryLength) {
  EXPECT_EQ(DecodeUtf8("a", 0).code, U'a');
  EXPECT_EQ(DecodeUtf8("\xC3\xA9", 0).code, char32_t{0xE9});
  EXPECT_EQ(DecodeUtf8("\xE2\x82\xAC", 0).code, char32_t{0x20AC});
  EXPECT_EQ(DecodeUtf8("\xF0\x9F\x98\x80", 0).code, char32_t{0x1F600});
}

TEST(Utf8, EncodingIsTheInverse) {
  for (char32_t code = 0; code <= 0x10FFFF; code += code < 0x3000 ? 1 : 97) {
    std::string text;
    AppendUtf8(text, code);
    const Utf8Step step = DecodeUtf8(text, 0);
    const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
    ASSERT_EQ(step.valid, !surrogate) << std::hex << static_cast<unsigned>(code);
    if (!surrogate) {
      ASSERT_EQ(step.code, code);
      ASSERT_EQ(step.bytes, text.size());
    }
  }
}

TEST(Utf8, BrokenPartsBecomeReplacementCharactersAsBrowsersDo) {
  const std::string r = "\xEF\xBF\xBD";
  EXPECT_EQ(ToValidUtf8("a\xFFz"), "a" + r + "z");
  EXPECT_EQ(ToValidUtf8("\xC0\xAF"), r + r);              // overlong
  EXPECT_EQ(ToValidUtf8("\xED\xA0\x80"), r + r + r);      // surrogate
  EXPECT_EQ(ToValidUtf8("\xE2\x82"), r);                  // cut off: one maximal part
  EXPECT_EQ(ToValidUtf8("\xF0\x9F\x98z"), r + "z");
  EXPECT_EQ(ToValidUtf8("\xF4\x90\x80\x80"), r + r + r + r);  // above U+10FFFF
  EXPECT_TRUE(IsUtf8("\xF0\x9F\x98\x80"));
  EXPECT_FALSE(IsUtf8("\xF0\x9F\x98"));
}

TEST(Utf8, CountsLikeEcmaScript) {
  EXPECT_EQ(Utf16Length("a\xC3\xA9\xF0\x9F\x98\x80"), 4u);
  EXPECT_EQ(Utf16Length("\xED\xA0\x80"), 1u);
}

TEST(Utf8, TrimsWhatEcmaScriptTrims) {
  EXPECT_EQ(TrimSpace("\n \t\xC2\xA0x y\xE2\x80\xA8\xEF\xBB\xBF\r\n"), "x y");
  EXPECT_EQ(TrimSpace("\xE2\x80\x8Bx"), "\xE2\x80\x8Bx");  // zero width space is not white space
  EXPECT_EQ(TrimSpace(" \n"), "");
  EXPECT_EQ(TrimSpace("\xA0"), "\xA0");  // a lone continuation byte
}

}  // namespace
}  // namespace writ
