#include "policy/yaml.h"

#include <gtest/gtest.h>

namespace writ::policy {
namespace {

using Kind = YamlNode::Kind;

TEST(ReadYaml, KeepsTextKindAndPlace) {
  const auto root = ReadYaml("a: 1\n'b c':\n  - x\n  - \"1\"\n  -\nd: {}\n");
  ASSERT_TRUE(root) << root.error().text;
  ASSERT_EQ(root->kind, Kind::kMapping);
  ASSERT_EQ(root->members.size(), 3u);
  EXPECT_EQ(root->members[0].value.kind, Kind::kPlain);
  EXPECT_EQ(root->members[0].value.text, "1");
  EXPECT_EQ(root->members[1].name, "b c");
  EXPECT_EQ(root->members[1].line, 2u);
  const YamlNode& list = root->members[1].value;
  ASSERT_EQ(list.items.size(), 3u);
  EXPECT_EQ(list.items[1].kind, Kind::kQuoted);
  EXPECT_EQ(list.items[1].line, 4u);
  EXPECT_EQ(list.items[1].column, 5u);
  EXPECT_EQ(list.items[2].kind, Kind::kNull);
  EXPECT_EQ(root->members[2].value.kind, Kind::kMapping);
}

TEST(ReadYaml, WordsThatOtherReadersTurnIntoBooleansStayText) {
  const auto root = ReadYaml("[yes, no, on, off, True, 1e309, 0x10]");
  ASSERT_TRUE(root);
  for (const YamlNode& item : root->items) EXPECT_EQ(item.kind, Kind::kPlain);
  EXPECT_EQ(root->items[1].text, "no");
}

TEST(ReadYaml, ErrorsHaveThePlace) {
  struct Case {
    const char *why, *text;
    unsigned line, column;
  };
  const Case cases[] = {
      {"the second of two equal names", "a: 1\nb: 2\na: 3\n", 3, 1},
      {"equal names further in", "a:\n  b: 1\n  b: 2\n", 3, 3},
      {"alias", "a: *x\n", 1, 4},
      {"control character", "a: 1\nb: \x01\n", 2, 4},
      {"not UTF-8", "a: \xC0\x80\n", 1, 4},
      {"unclosed list", "a: [1, 2\n", 2, 1},
      {"tab as indentation", "a:\n\tb: 1\n", 2, 3},
      {"empty", "", 1, 1},
      {"only a comment", "# x\n", 1, 1},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.why);
    const auto root = ReadYaml(c.text);
    ASSERT_FALSE(root);
    EXPECT_EQ(root.error().line, c.line) << root.error().text;
    EXPECT_EQ(root.error().column, c.column) << root.error().text;
    EXPECT_FALSE(root.error().text.empty());
  }
}

TEST(ReadYaml, LimitsHold) {
  EXPECT_FALSE(ReadYaml("a: 1", {.bytes_max = 3}));
  EXPECT_TRUE(ReadYaml("[[1]]", {.depth_max = 2}));
  EXPECT_FALSE(ReadYaml("[[[1]]]", {.depth_max = 2}));
  EXPECT_TRUE(ReadYaml("[1, 2]", {.nodes_max = 3}));
  EXPECT_FALSE(ReadYaml("[1, 2, 3]", {.nodes_max = 3}));
}

}  // namespace
}  // namespace writ::policy
