#include "workspace/apart.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "workspace/tree_for_test.h"

namespace writ::workspace {
namespace {

using testing::HasSubstr;

TEST(Apart, Attack18_StateAndWorkspaceMustNotContainEachOther) {
  TestTree tree;
  tree.Directory("a/b/c").Directory("other").Link("alias", "a");
  const auto open = [&](const std::string& name) { return sys::OpenDirectory(tree.Path(name)).value(); };
  EXPECT_TRUE(CheckApart(open("other"), open("a/b")));
  EXPECT_TRUE(CheckApart(open("a/b"), open("other")));
  auto contains = CheckApart(open("a"), open("a/b/c"));
  ASSERT_FALSE(contains);
  EXPECT_EQ(contains.error().code, Code::kDenied);
  EXPECT_THAT(contains.error().what, HasSubstr("workspace contains the state directory"));
  EXPECT_FALSE(CheckApart(open("alias"), open("a/b"))) << "through a link";
  EXPECT_FALSE(CheckApart(open("a"), open("a"))) << "the same";
  auto inside = CheckApart(open("a/b/c"), open("a"));
  ASSERT_FALSE(inside);
  EXPECT_THAT(inside.error().what, HasSubstr("inside the state directory"));
  EXPECT_FALSE(CheckApart(sys::OpenDirectory("/").value(), open("a")));
}

}  // namespace
}  // namespace writ::workspace
