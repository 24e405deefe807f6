#include "workspace/git_head.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "workspace/tree_for_test.h"

namespace writ::workspace {
namespace {

const std::string kCommit(40, 'a'), kOther(64, 'b');

std::optional<std::string> Head(const TestTree& tree) {
  auto head = ReadGitHead(tree.fd());
  if (!head) ADD_FAILURE() << head.error().what;
  return head.value_or(std::nullopt);
}

TEST(GitHead, FollowsLooseAndPackedReferences) {
  TestTree tree;
  EXPECT_EQ(Head(tree), std::nullopt);
  tree.Write(".git/HEAD", "ref: refs/heads/main\n");
  EXPECT_EQ(Head(tree), std::nullopt) << "no commit yet";
  tree.Write(".git/packed-refs", "# pack-refs with: peeled fully-peeled sorted\n" + kOther + " refs/heads/main2\n" +
                                     kCommit + " refs/heads/main\n^" + kOther + "\n");
  EXPECT_EQ(Head(tree), kCommit);
  tree.Write(".git/refs/heads/main", kOther + "\n");
  EXPECT_EQ(Head(tree), kOther) << "a loose reference counts before a packed one";
  tree.Write(".git/HEAD", kCommit + "\n");
  EXPECT_EQ(Head(tree), kCommit) << "detached";
  tree.Write(".git/HEAD", "ref: refs/heads/alias").Write(".git/refs/heads/alias", "ref: refs/heads/main\n");
  EXPECT_EQ(Head(tree), kOther);
}

TEST(GitHead, Attack30_NothingOutsideIsRead) {
  TestTree tree, outside;
  outside.Write("HEAD", kCommit).Write("secret", kCommit);
  tree.Link(".git", outside.path());
  EXPECT_EQ(Head(tree), std::nullopt);
  tree.Remove(".git").Write(".git", "gitdir: " + outside.path());
  EXPECT_EQ(Head(tree), std::nullopt);
  tree.Remove(".git").Directory(".git").Link(".git/HEAD", outside.Path("secret"));
  EXPECT_FALSE(ReadGitHead(tree.fd()));
  tree.Remove(".git/HEAD").Fifo(".git/HEAD");
  EXPECT_FALSE(ReadGitHead(tree.fd()));
  for (std::string_view text : {"ref: ../../secret", "ref: refs/../../x", "ref: /etc/passwd", "ref: refs/heads/a b",
                                "ref: refs//x", "", "x", "ref: "}) {
    tree.Remove(".git/HEAD").Write(".git/HEAD", text);
    auto head = ReadGitHead(tree.fd());
    ASSERT_FALSE(head) << text;
    EXPECT_EQ(head.error().code, Code::kCorrupt);
  }
}

TEST(GitHead, LoopsAndLongFilesEnd) {
  TestTree tree;
  tree.Write(".git/HEAD", "ref: refs/heads/a").Write(".git/refs/heads/a", "ref: refs/heads/a");
  EXPECT_EQ(ReadGitHead(tree.fd()).error().code, Code::kCorrupt);
  tree.Write(".git/HEAD", std::string(5000, 'a'));
  EXPECT_EQ(ReadGitHead(tree.fd()).error().code, Code::kExhausted);
}

TEST(GitHead, ObjectNamesAreExact) {
  EXPECT_FALSE(ParseGitReference(std::string(41, 'a')));
  EXPECT_FALSE(ParseGitReference(std::string(40, 'A')));
  EXPECT_EQ(ParseGitReference(kCommit + "\r\n")->commit, kCommit);
  EXPECT_EQ(FindPackedReference(kCommit + " refs/heads/x", "refs/heads/x"), kCommit);
  EXPECT_EQ(FindPackedReference("zz refs/heads/x\n\n \n", "refs/heads/x"), std::nullopt);
}

}  // namespace
}  // namespace writ::workspace
