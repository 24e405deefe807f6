#include "workspace/patterns.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "canon/vectors_for_test.h"
#include "workspace/braces.h"

namespace writ::workspace {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

bool Match(std::string_view pattern, std::string_view path) {
  auto compiled = Pattern::Compile(pattern);
  if (!compiled) ADD_FAILURE() << compiled.error().what;
  return compiled && compiled->Matches(path);
}

TEST(PatternVectors, DefaultDenyPatterns) {
  const canon::Json vectors = test::VectorFile("patterns.json");
  ASSERT_NE(vectors.Find("defaultDenyPatterns"), nullptr);
  std::vector<std::string> expected;
  for (const auto& text : vectors.Find("defaultDenyPatterns")->array()) expected.push_back(text.string());
  EXPECT_EQ(DefaultDenyPatterns(), expected);
}

class DeniedVectors : public testing::TestWithParam<test::VectorCase> {};
TEST_P(DeniedVectors, Agree) {
  ASSERT_EQ(GetParam().problem, "");
  const std::string& path = *GetParam().value.FindString("path");
  SCOPED_TRACE(path);
  EXPECT_EQ(PatternList::Compile(DefaultDenyPatterns())->Matches(path), GetParam().value.Find("denied")->boolean());
  std::vector<std::string> by, expected;
  for (const auto& text : DefaultDenyPatterns()) {
    if (Match(text, path)) by.push_back(text);
  }
  for (const auto& text : GetParam().value.Find("by")->array()) expected.push_back(text.string());
  EXPECT_EQ(by, expected);
}
INSTANTIATE_TEST_SUITE_P(All, DeniedVectors, testing::ValuesIn(test::VectorCases("patterns.json", "denied")),
                         test::VectorCaseName);

class GlobVectors : public testing::TestWithParam<test::VectorCase> {};
TEST_P(GlobVectors, Agree) {
  ASSERT_EQ(GetParam().problem, "");
  const std::string& path = *GetParam().value.FindString("path");
  const std::string& pattern = *GetParam().value.FindString("pattern");
  SCOPED_TRACE(pattern + " on " + path);
  EXPECT_EQ(Match(pattern, path), GetParam().value.Find("match")->boolean());
}
INSTANTIATE_TEST_SUITE_P(All, GlobVectors, testing::ValuesIn(test::VectorCases("patterns.json", "globs")),
                         test::VectorCaseName);

TEST(Pattern, Table) {
  struct Case {
    const char* pattern;
    const char* path;
    bool match;
  };
  const Case cases[] = {
      // stars
      {"a*b*c", "aXbYc", true}, {"a*b*c", "aXbY", false}, {"*", ".", false}, {"*", "..", false}, {".*", ".a", true},
      {"*a", "a", true}, {"a*a", "a", false}, {"a*", "a", true}, {"a*", "b/a1", true}, {"/a*", "a1", false},
      // sets
      {"[a-c]x", "bx", true}, {"[a-c]x", "dx", false}, {"[]]x", "]x", true}, {"[!]]x", "]x", false},
      {"[^a]", "b", true}, {"[a", "[a", true}, {"[[:digit:]]", "7", true}, {"[[:digit:]]", "x", false},
      {"[\\]]", "]", true}, {"[a-]", "-", true}, {"[z-a]", "m", false},
      // braces
      {"{a,b}{c,d}", "bd", true}, {"{a,b}{c,d}", "ab", false}, {"x{,y}", "x", true}, {"{a}", "{a}", true},
      {"f{1..3}", "f2", true}, {"f{1..3}", "f4", false}, {"f{01..10}", "f07", true}, {"f{a..e..2}", "fc", true},
      {"f{a..e..2}", "fb", false}, {"{a,{b,c}}", "c", true}, {"\\{a,b}", "{a,b}", true}, {"src/{a,b}/*.c", "src/b/x.c", true},
      // groups
      {"@(a|b).c", "b.c", true}, {"@(a|b).c", "ab.c", false}, {"?(a)b", "b", true}, {"*(ab)c", "ababc", true},
      {"*(ab)c", "c", true}, {"+(ab)c", "c", false}, {"+(a|bc)", "abca", true}, {"@(a*|b)", "axx", true},
      {"x!(y)", "xz", true}, {"x!(y)", "xy", false}, {"x!(y)", "xyy", true}, {"x!(y)z", "xyz", false},
      {"x!(y)z", "xyyz", true}, {"@(a|@(b|c)d)", "cd", true}, {"a+(b", "a+(b", true}, {"*(?(c)?(a)|b)", "cab", true},
      {"*(?(c)?(a)|b)", "cx", false},
      // depth
      {"a/**/b", "a/b", true}, {"a/**/b", "a/x/y/b", true}, {"a/**/b", "a/x/y/c", false}, {"**/x", "x", true},
      {"**/x", "a/b/x", true}, {"a**/b", "a1/b", true}, {"a**/b", "a1/2/b", false}, {"a/**", "a/../b", false},
      // negation and comments
      {"!!x", "x", true}, {"!!x", "y", false}, {"\\#x", "#x", true}, {"\\!x", "!x", true},
      // letters beyond ASCII are UTF-16 units
      {"?", "\xC3\xA4", true}, {"??", "\xF0\x9F\x98\x80", true}, {"?", "\xFF", true}, {"[\xC3\xA4-\xC3\xBC]", "\xC3\xB6", true},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(fmt::format("{} on {}", c.pattern, c.path));
    EXPECT_EQ(Match(c.pattern, c.path), c.match);
  }
}

TEST(Pattern, RefusesWhatHasNoBound) {
  EXPECT_EQ(Pattern::Compile(std::string(513, 'a')).error().code, Code::kInvalid);
  EXPECT_EQ(Pattern::Compile(std::string_view("a\0b", 3)).error().code, Code::kInvalid);
  std::string bomb;
  for (int i = 0; i < 100; ++i) bomb += "{a,b}";
  auto refused = Pattern::Compile(bomb);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().what, HasSubstr("more than 4096"));
  EXPECT_FALSE(Pattern::Compile("{1..999999999}"));
  EXPECT_EQ(PatternList::Compile(std::vector<std::string>(10'001, "a")).error().code, Code::kExhausted);
}

TEST(Pattern, HostilePatternsEndQuickly) {
  std::string nested, stars;
  for (int i = 0; i < 120; ++i) nested += "*(a|";
  nested += "a" + std::string(120 / 1, ')');
  nested.resize(std::min<std::size_t>(nested.size(), 512));
  for (int i = 0; i < 250; ++i) stars += "*a";
  const std::string path(4000, 'a');
  EXPECT_FALSE(Match(stars + "b", path));
  (void)Match(nested, path.substr(0, 255));
  EXPECT_FALSE(Match("+(+(+(+(a|aa)|aaa)|a)|a)b", path));
}

TEST(Braces, KeepTheirOrder) {
  EXPECT_THAT(ExpandBraces("a{b,c{d,e}}f", 10).value(), ElementsAre("abf", "acdf", "acef"));
  EXPECT_THAT(ExpandBraces("{3..1}", 10).value(), ElementsAre("3", "2", "1"));
  EXPECT_THAT(ExpandBraces("${a,b}{c,d}", 10).value(), ElementsAre("${a,b}c", "${a,b}d"));
  EXPECT_THAT(ExpandBraces("{{a,b}}", 10).value(), ElementsAre("{a}", "{b}"));
  EXPECT_THAT(ExpandBraces("{a,b", 10).value(), ElementsAre("{a,b"));
  EXPECT_FALSE(ExpandBraces("{1..11}", 10));
}

}  // namespace
}  // namespace writ::workspace
