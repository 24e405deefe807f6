#include "base/escape.h"

#include <gtest/gtest.h>

namespace writ {
namespace {

TEST(Escape, MakesHiddenCharactersVisible) {
  struct Case {
    const char* why;
    std::string_view in, out;
  };
  const Case cases[] = {
      {"plain text stays", "caf\xC3\xA9 \xE6\x97\xA5\xE6\x9C\xAC \xF0\x9F\x98\x80", "caf\xC3\xA9 \xE6\x97\xA5\xE6\x9C\xAC \xF0\x9F\x98\x80"},
      {"ANSI colour", "\x1b[31mred", "\\u{1b}[31mred"},
      {"OSC 52 with BEL", "\x1b]52;c;QQ==\a", "\\u{1b}]52;c;QQ==\\u{7}"},
      {"C1 CSI", "\xC2\x9B" "31m", "\\u{9b}31m"},
      {"line ends", "a\r\nb", "a\\u{d}\\u{a}b"},
      {"bidi override", "a\xE2\x80\xAE" "b", "a\\u{202e}b"},
      {"bidi isolate", "\xE2\x81\xA6", "\\u{2066}"},
      {"zero width space", "a\xE2\x80\x8B" "b", "a\\u{200b}b"},
      {"tag character", "\xF3\xA0\x81\x81", "\\u{e0041}"},
      {"variation selector", "x\xEF\xB8\x8F", "x\\u{fe0f}"},
      {"not UTF-8", "a\xFF", "a\\x{ff}"},
      {"a lone surrogate", "\xED\xA0\x80", "\\x{ed}\\x{a0}\\x{80}"},
      {"an escape written by hand cannot pose as one", "\\u{1b}", "\\\\u{1b}"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.why);
    EXPECT_EQ(EscapeVisible(c.in), c.out);
  }
}

TEST(Escape, CutsToColumnsAndMarksIt) {
  EXPECT_EQ(EscapeVisible("abcdef", 6), "abcdef");
  EXPECT_EQ(EscapeVisible("abcdefg", 6), "abcde\xE2\x80\xA6");
  EXPECT_EQ(EscapeVisible("ab\x1b", 5), "ab\xE2\x80\xA6");  // never half an escape
  EXPECT_EQ(EscapeVisible("", 5), "");
  EXPECT_EQ(EscapeVisible("x", 0), "");
  EXPECT_EQ(EscapeVisible("xy", 1), "\xE2\x80\xA6");
}

}  // namespace
}  // namespace writ
