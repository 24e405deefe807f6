#include "cli/terminal_filter.h"

#include <gtest/gtest.h>

namespace writ::cli {
namespace {

TEST(Attack14_TerminalFilter, MakesControlSequencesVisible) {
  struct Case { const char* why; std::string_view in; std::string_view out; };
  const Case cases[] = {
      {"text, tab, newline, carriage return", "a\tb\r\nc", "a\tb\r\nc"},
      {"colours", "\x1b[1;31mred\x1b[0m", "\x1b[1;31mred\x1b[0m"},
      {"extended colours", "\x1b[38;5;8mgrey\x1b[m", "\x1b[38;5;8mgrey\x1b[m"},
      {"true colours with an 8", "\x1b[48;2;8;8;8mx\x1b[0m", "\x1b[48;2;8;8;8mx\x1b[0m"},
      {"concealed text", "\x1b[8msecret", "\\u{1b}[8msecret"},
      {"concealed text among others", "\x1b[1;08;31msecret", "\\u{1b}[1;08;31msecret"},
      {"clipboard, OSC 52", "\x1b]52;c;ZXZpbA==\x07", "\\u{1b}]52;c;ZXZpbA==\\u{7}"},
      {"link, OSC 8", "\x1b]8;;http://x\x1b\\y", "\\u{1b}]8;;http://x\\u{1b}\\y"},
      {"title", "\x1b]0;root#\x07", "\\u{1b}]0;root#\\u{7}"},
      {"clear screen", "\x1b[2J\x1b[H", "\\u{1b}[2J\\u{1b}[H"},
      {"device query", "\x1b[6n\x1b[c", "\\u{1b}[6n\\u{1b}[c"},
      {"private m is not a colour", "\x1b[>4;2m", "\\u{1b}[>4;2m"},
      {"backspace and bell", "a\b\ab", "a\\u{8}\\u{7}b"},
      {"NUL", std::string_view("a\0b", 3), "a\\u{0}b"},
      {"C1 as UTF-8", "\xc2\x9b" "2J", "\\u{9b}2J"},
      {"C1 as a raw byte", "\x9b" "2J", "\\x{9b}2J"},
      {"bidirectional override", "\xe2\x80\xae" "evil", "\\u{202e}evil"},
      {"zero width space", "a\xe2\x80\x8b" "b", "a\\u{200b}b"},
      {"tag block", "a\xf3\xa0\x81\x81", "a\\u{e0041}"},
      {"accents and ideographs", "d\xc3\xa9j\xc3\xa0 \xe6\xbc\xa2", "d\xc3\xa9j\xc3\xa0 \xe6\xbc\xa2"},
      {"emoji with joiner and selector", "\xe2\x9d\xa4\xef\xb8\x8f\xe2\x80\x8d\xf0\x9f\x94\xa5",
       "\xe2\x9d\xa4\xef\xb8\x8f\xe2\x80\x8d\xf0\x9f\x94\xa5"},
      {"broken UTF-8", "\xff\xc3(", "\\x{ff}\\x{c3}("},
      {"overlong", "\xc0\x9b", "\\x{c0}\\x{9b}"},
      {"colour left on", "\x1b[31mred", "\x1b[31mred\x1b[0m"},
      {"escape at the end", "x\x1b", "x\\u{1b}"},
      {"cut colour at the end", "x\x1b[31", "x\\u{1b}[31"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.why);
    EXPECT_EQ(SafeForTerminal(c.in), c.out);
  }
}

TEST(Attack14_TerminalFilter, CutsBetweenCallsChangeNothing) {
  const std::string text =
      "a\x1b[1;31mred\x1b[0m\x1b]52;c;x\x07 \xf0\x9f\x94\xa5\xe2\x80\xae\xc2\x9b\xff d\xc3\xa9\x1b[8mx\x1b[38;5;8my\x1b[m";
  const std::string whole = SafeForTerminal(text);
  for (std::size_t step = 1; step < text.size(); ++step) {
    TerminalFilter filter;
    std::string out;
    for (std::size_t at = 0; at < text.size(); at += step) filter.Append(std::string_view(text).substr(at, step), out);
    filter.Finish(out);
    EXPECT_EQ(out, whole) << "in pieces of " << step;
  }
}

TEST(Attack13_TerminalFilter, EndlessSequencesAreNotCollected) {
  TerminalFilter filter;
  std::string out;
  filter.Append("\x1b[", out);
  for (int i = 0; i < 1000; ++i) filter.Append("1;1;1;1;1;", out);
  EXPECT_GT(out.size(), 9000u) << "digits that never end must be shown, not held back";
  const std::string binary(1 << 20, '\x1b');
  out.clear();
  filter.Append(binary, out);
  filter.Finish(out);
  EXPECT_LE(out.size(), 8 * binary.size());
}

}  // namespace
}  // namespace writ::cli
