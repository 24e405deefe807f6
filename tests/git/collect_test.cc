// The diff of a run against the commit its workspace is based on.

#include "git_for_test.h"

namespace writ::session {
namespace {

using Changed = std::vector<GitDiff::Changed>;

const std::string kGone(64, '0');

class GitCollect : public GitTest {};

TEST_F(GitCollect, NothingChangedNeedsNoGit) {
  CheckOut(Capture("echo one > a; git add -A; git commit -qm one"));
  ASSERT_TRUE(checkout_);
  auto result = RunAndCollect("cat a; git status >/dev/null; mkdir empty; touch .git/x");
  ASSERT_DIFF(result);
  EXPECT_FALSE(result->ran_git);
  EXPECT_EQ(result->diff, "");
  EXPECT_TRUE(result->changed.empty());
  const auto unstarted = CollectGit(*checkout_, nullptr, *backend_, {}, Deadline::After(Millis{1000}));
  ASSERT_DIFF(unstarted);
  EXPECT_FALSE(unstarted->ran_git);
}

TEST_F(GitCollect, LocalChangesReappearAndAreRemembered) {
  CheckOut(Capture(
      "printf 'one\\ntwo\\n' > a; git add -A; git commit -qm one; printf 'one\\nTWO\\n' > a; echo new > n.txt"));
  ASSERT_TRUE(checkout_);
  auto first = RunAndCollect("true");
  ASSERT_DIFF(first);
  EXPECT_TRUE(first->ran_git);
  const std::string expected = Shell("git add -A; git diff --binary --cached HEAD; git reset -q");
  EXPECT_EQ(first->diff, expected);
  const Changed changed = {{"a", crypto::Sha256Hex("one\nTWO\n")}, {"n.txt", crypto::Sha256Hex("new\n")}};
  EXPECT_EQ(first->changed, changed);
  auto second = RunAndCollect("true");
  ASSERT_DIFF(second);
  EXPECT_FALSE(second->ran_git);
  EXPECT_EQ(second->diff, expected);
  EXPECT_EQ(second->changed, changed);
  // A damaged memory is not believed.
  std::ofstream(fs::path(checkout_->entry) / "unchanged", std::ios::app) << "+more\n";
  auto third = RunAndCollect("true");
  ASSERT_DIFF(third);
  EXPECT_TRUE(third->ran_git);
  EXPECT_EQ(third->diff, expected);
}

/// The same commands in the user's own working tree and in a run give the same diff.
TEST_F(GitCollect, SameDiffAsGitInPlace) {
  const std::string changes =
      "echo new > n.txt; echo three >> src/a.txt; rm README.md; mkdir ignored; echo z > ignored/z; chmod 755 tool;"
      "rm -r gone; ln -sf elsewhere link; rm file; mkdir file; echo in > file/in; rm -r dir; echo now > dir;"
      "printf 'b\\0c' > bin; printf x > 'caf\303\251.txt'; echo q > 'a b'; : > empty; rm -r swap; mkdir swap; echo s > "
      "swap/s;"
      "printf 'new\\nline' > 'new\nline'; mv moved 'moved to';"
      "rm dirlink; mkdir dirlink; echo x > dirlink/x; rm -r linked; ln -s src linked; mv tree tree2; echo n > tree2/n; "
      "rm -r again; "
      "mkdir again; echo 2 > again/two";
  CheckOut(Capture(
      "mkdir src gone dir swap; echo r > README.md; echo one > src/a.txt; echo t > tool; echo g > gone/g; echo l > l;"
      "ln -s l link; echo f > file; echo d > dir/d; printf 'a\\0' > bin; echo o > swap/o;"
      "printf '1\\n2\\n3\\n4\\n5\\n' > moved; ln -s src dirlink; mkdir linked tree tree/deep again; echo i > linked/i; "
      "echo 1 > tree/deep/t;"
      "echo 1 > again/one; echo 1 > again/two;"
      "echo ignored/ > .gitignore; git add -A; git commit -qm one; echo dirty >> l; echo u > untracked"));
  ASSERT_TRUE(checkout_);
  auto result = RunAndCollect(changes);
  ASSERT_DIFF(result);
  Shell(changes + "; git add -A");
  EXPECT_EQ(result->diff, Shell("git diff --binary --cached HEAD"));
  const std::string names = Shell("git diff --cached --name-only -z HEAD");
  std::string listed;
  for (const auto& one : result->changed) listed += one.path + std::string(1, '\0');
  EXPECT_EQ(listed, names);
  for (const auto& one : result->changed) {
    const fs::path path = scratch_ / "repo" / one.path;
    std::string hash = kGone;
    if (fs::is_symlink(path)) {
      hash = crypto::Sha256Hex(fs::read_symlink(path).string());
    } else if (fs::is_regular_file(path)) {
      hash = crypto::Sha256Hex(ReadText(path));
    }
    EXPECT_EQ(one.sha256, hash) << one.path;
  }
  EXPECT_EQ(result->complaints, "");
}

TEST_F(GitCollect, CommitsMadeInsideAreIncluded) {
  CheckOut(Capture("echo one > a; git add -A; git commit -qm one"));
  ASSERT_TRUE(checkout_);
  auto result = RunAndCollect("echo two > a; git commit -qam two; echo b > b; git add b; git commit -qm b");
  ASSERT_DIFF(result);
  const Changed changed = {{"a", crypto::Sha256Hex("two\n")}, {"b", crypto::Sha256Hex("b\n")}};
  EXPECT_EQ(result->changed, changed);
  EXPECT_TRUE(result->flagged.empty());
}

TEST_F(GitCollect, DiffHasALimit) {
  CheckOut(Capture("echo one > a; git add -A; git commit -qm one"));
  ASSERT_TRUE(checkout_);
  GitLimits limits;
  limits.diff_bytes_max = 1000;
  auto result = RunAndCollect("seq 1000 > a", limits);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::kExhausted) << result.error().what;
  limits = {};
  limits.changes_max = 3;
  result = RunAndCollect("for i in 1 2 3 4; do echo $i > f$i; done", limits);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::kExhausted) << result.error().what;
}

}  // namespace
}  // namespace writ::session
