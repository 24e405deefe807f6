#include "client/pull.h"

#include <gtest/gtest.h>

#include "client/repository_for_test.h"

namespace writ::client {
namespace {

constexpr char kRun[] = "run_0123456789ab-4cde-8f01-234567890abc";
constexpr char kBranch[] = "warrant/0123456789ab";

class PullTest : public RepositoryTest {
 protected:
  void SetUp() override {
    RepositoryTest::SetUp();
    Shell("printf 'one\\ntwo\\n' > a; mkdir d; echo d > d/d; printf 'b\\0' > bin; git add -A; git commit -qm one");
    base_ = Line("git rev-parse HEAD");
  }
  /// The diff of a run that did this, made in a copy.
  std::string DiffOf(const std::string& script) {
    Shell("rm -rf ../run; git clone -q . ../run; cd ../run; git checkout -q " + base_ + "; " + script +
          "; git add -A; git diff --binary --cached " + base_ + " > ../diff");
    return ReadText(scratch_ / "diff");
  }
  Result<Pulled> Bring(const std::string& diff, Dangerous dangerous = Dangerous::kToBranch) {
    return Pull({.repository = repo_.string(), .run_id = kRun, .base_ref = base_, .diff = diff, .dangerous = dangerous},
                Deadline::After(Millis{60'000}));
  }
  std::string base_;
};

TEST_F(PullTest, NothingChanged) {
  const auto pulled = Bring("");
  ASSERT_TRUE(pulled) << pulled.error().what;
  EXPECT_EQ(pulled->how, PullResult::kEmpty);
}

TEST_F(PullTest, CleanWorkingTreeGetsTheChanges) {
  const std::string diff = DiffOf(
      "printf 'one\\nTWO\\n' > a; rm d/d; echo n > 'n \303\251'; printf 'c\\0\\1' > bin; echo x > tool; chmod 755 "
      "tool");
  const auto pulled = Bring(diff);
  ASSERT_TRUE(pulled) << pulled.error().what;
  EXPECT_EQ(pulled->how, PullResult::kApplied);
  EXPECT_EQ(ReadText(repo_ / "a"), "one\nTWO\n");
  EXPECT_FALSE(fs::exists(repo_ / "d/d"));
  EXPECT_EQ(ReadText(repo_ / "n \303\251"), "n\n");
  EXPECT_EQ(ReadText(repo_ / "bin"), std::string("c\0\1", 3));
  EXPECT_EQ(Line("git rev-parse HEAD"), base_);
  EXPECT_EQ(Shell("git branch --list 'warrant/*'"), "");
  ASSERT_EQ(pulled->changes.size(), 5u);
  EXPECT_EQ(pulled->changes[0].path, "a");
  EXPECT_EQ(pulled->changes[2].kind, 'D');
  Shell("git add -A");
  EXPECT_EQ(Shell("git diff --binary --cached HEAD"), diff);
}

TEST_F(PullTest, DivergedRepositoryGetsABranchAndLosesNothing) {
  const std::string diff = DiffOf("printf 'one\\nTWO\\n' > a; echo n > n");
  struct Case {
    const char* why;
    const char* script;
  };
  for (const Case& c : {Case{"dirty", "echo mine > a"}, Case{"untracked", "git checkout -q a; echo mine > n"},
                        Case{"staged", "rm n; echo mine > a; git add a"}, Case{"moved on", "git commit -qam mine"}}) {
    SCOPED_TRACE(c.why);
    Shell(c.script);
    const std::string before =
        Shell("git status --porcelain; git rev-parse HEAD; cat a; cat n 2>/dev/null || true; git stash list");
    const auto pulled = Bring(diff);
    ASSERT_TRUE(pulled) << pulled.error().what;
    EXPECT_EQ(pulled->how, PullResult::kBranch);
    EXPECT_EQ(pulled->branch, kBranch);
    EXPECT_NE(pulled->why, "");
    EXPECT_EQ(Shell("git status --porcelain; git rev-parse HEAD; cat a; cat n 2>/dev/null || true; git stash list"),
              before);
    EXPECT_EQ(Line("git rev-parse warrant/0123456789ab"), pulled->commit);
    EXPECT_EQ(Shell("git log -1 --format='%P %an <%ae> %cn <%ce> %B' warrant/0123456789ab"),
              base_ + " warrant <warrant@localhost> warrant <warrant@localhost> warrant run " + kRun + "\n\n");
    EXPECT_EQ(Shell("git diff --binary " + base_ + " warrant/0123456789ab"), diff);
  }
}

TEST_F(PullTest, BranchIsReplacedOnlyByThePullOfTheSameRun) {
  Shell("echo mine > a");
  auto first = Bring(DiffOf("echo n > n"));
  ASSERT_TRUE(first) << first.error().what;
  auto same = Bring(DiffOf("echo n > n"));
  ASSERT_TRUE(same) << same.error().what;
  EXPECT_EQ(same->commit, first->commit);
  auto second = Bring(DiffOf("echo m > n"));
  ASSERT_TRUE(second) << second.error().what;
  EXPECT_NE(second->commit, first->commit);
  Shell(
      "git stash -q; git checkout -q warrant/0123456789ab; echo work > w; git add w; git commit -qm work; git checkout "
      "-q main; git stash pop -q");
  const std::string tip = Line("git rev-parse warrant/0123456789ab");
  const auto refused = Bring(DiffOf("echo k > n"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kDenied) << refused.error().what;
  EXPECT_EQ(Line("git rev-parse warrant/0123456789ab"), tip);
  EXPECT_EQ(ReadText(repo_ / "a"), "mine\n");
}

TEST_F(PullTest, CheckedOutBranchIsNotPulledAway) {
  Shell("echo mine > a");
  ASSERT_TRUE(Bring(DiffOf("echo n > n")));
  Shell("git stash -q; git checkout -q warrant/0123456789ab; echo mine > a");
  const auto refused = Bring(DiffOf("echo m > n"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kDenied) << refused.error().what;
}

TEST_F(PullTest, Attack30_DangerousChangesGoToABranchUnlessAskedFor) {
  const std::string diff = DiffOf(
      "mkdir .vscode .husky; echo '{}' > .vscode/tasks.json; echo x > .envrc; ln -s /etc/passwd out; ln -s d in; echo "
      "two > a");
  const auto plan = PlanPull({.repository = repo_.string(), .run_id = kRun, .base_ref = base_, .diff = diff},
                             Deadline::After(Millis{60'000}));
  ASSERT_TRUE(plan) << plan.error().what;
  std::map<std::string, bool> flagged;
  for (const auto& change : plan->changes) flagged[change.path] = !change.danger.empty();
  EXPECT_EQ(flagged, (std::map<std::string, bool>{
                         {".vscode/tasks.json", true}, {".envrc", true}, {"out", true}, {"in", false}, {"a", false}}));
  EXPECT_EQ(Shell("git status --porcelain"), "");
  auto pulled = Bring(diff);
  ASSERT_TRUE(pulled) << pulled.error().what;
  EXPECT_EQ(pulled->how, PullResult::kBranch);
  EXPECT_FALSE(fs::exists(repo_ / ".vscode"));
  EXPECT_EQ(Shell("git status --porcelain"), "");
  pulled = Bring(diff, Dangerous::kApply);
  ASSERT_TRUE(pulled) << pulled.error().what;
  EXPECT_EQ(pulled->how, PullResult::kApplied);
  EXPECT_TRUE(fs::is_symlink(repo_ / "out"));
}

TEST_F(PullTest, Attack30_HostileDiffsWriteNothing) {
  const auto file = [](std::string_view path, std::string_view mode) {
    return fmt::format(
        "diff --git a/{0} b/{0}\nnew file mode {1}\nindex 0000000..587be6b\n--- /dev/null\n+++ b/{0}\n@@ -0,0 +1 "
        "@@\n+x\n",
        path, mode);
  };
  const std::string link =
      "diff --git a/l b/l\nnew file mode 120000\nindex 0000000..587be6b\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 "
      "@@\n+../outside\n\\ No newline at end of file\n";
  fs::create_directories(scratch_ / "outside");
  for (const std::string& diff :
       {file(".git/config", "100644"), file(".git/hooks/post-checkout", "100755"), file(".GIT/hooks/x", "100755"),
        file("../escaped", "100644"), file("/tmp/escaped", "100644"), link + file("l/x", "100644"),
        std::string("not a diff"), std::string("diff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -1 +1 @@\n-nope\n+x\n")}) {
    const auto refused = Bring(diff, Dangerous::kApply);
    EXPECT_FALSE(refused) << diff;
    if (!refused) {
      EXPECT_EQ(refused.error().code, Code::kCorrupt) << refused.error().what;
    }
    EXPECT_TRUE(fs::is_empty(scratch_ / "outside"));
    EXPECT_FALSE(fs::exists(scratch_ / "escaped"));
    EXPECT_EQ(Shell("git status --porcelain"), "");
  }
}

TEST_F(PullTest, Attack30_HooksOfTheRepositoryDoNotRun) {
  Shell("printf '#!/bin/sh\\ntouch " + scratch_.string() +
        "/pwned\\n' > ../evil; chmod 755 ../evil; mkdir -p .git/hooks;"
        "for h in post-index-change reference-transaction post-checkout applypatch-msg pre-commit; do cp ../evil "
        ".git/hooks/$h; done;"
        "git config core.fsmonitor " +
        (scratch_ / "evil").string() + "; rm -f ../pwned");
  fs::remove(scratch_ / "pwned");
  std::string diff =
      "diff --git a/n b/n\nnew file mode 100644\nindex 0000000..587be6b\n--- /dev/null\n+++ b/n\n@@ -0,0 +1 @@\n+x\n";
  auto pulled = Bring(diff);
  ASSERT_TRUE(pulled) << pulled.error().what;
  EXPECT_EQ(pulled->how, PullResult::kApplied);
  pulled = Bring(diff);
  ASSERT_TRUE(pulled) << pulled.error().what;
  EXPECT_EQ(pulled->how, PullResult::kBranch);
  EXPECT_FALSE(fs::exists(scratch_ / "pwned"));
}

TEST_F(PullTest, IdsThatAreNoneAndMissingCommits) {
  const std::string diff = DiffOf("echo n > n");
  PullRequest request{.repository = repo_.string(), .run_id = kRun, .base_ref = base_, .diff = diff};
  for (const char* id : {"", "run_", "run_../../x", "0123456789ab", "run_-x", "run_a b", "run_\x1b[31m"}) {
    request.run_id = id;
    EXPECT_EQ(Pull(request, Deadline::After(Millis{60'000})).error().code, Code::kInvalid) << id;
  }
  request.run_id = kRun;
  request.base_ref = "--help";
  EXPECT_EQ(Pull(request, Deadline::After(Millis{60'000})).error().code, Code::kInvalid);
  request.base_ref = std::string(40, 'a');
  EXPECT_EQ(Pull(request, Deadline::After(Millis{60'000})).error().code, Code::kNotFound);
}

}  // namespace
}  // namespace writ::client
