// Hostile bundles, manifests and jobs against git on a runner.

#include <algorithm>

#include "git_for_test.h"

namespace writ::session {
namespace {

class GitAttack : public GitTest {
 protected:
  bool Flagged(const GitDiff& diff, std::string_view path) {
    return std::ranges::any_of(diff.flagged, [&](const auto& one) { return one.path == path; });
  }
};

TEST_F(GitAttack, Attack30_HooksAndConfigurationOfTheJobAreNeverReadAndFlagged) {
  CheckOut(Capture("echo one > a; git add -A; git commit -qm one"));
  ASSERT_TRUE(checkout_);
  auto result = RunAndCollect(
      "echo two > a; git update-index --assume-unchanged a; git config core.fsmonitor 'echo pwned >> /work/pwned;'; "
      "git config filter.x.clean 'sh -c \"echo PWNED\"';"
      "git config diff.external 'echo EXTERNAL'; mkdir -p .git/hooks .git/info; echo '#!/bin/sh' > "
      ".git/hooks/pre-commit;"
      "echo '* filter=x' > .gitattributes; echo '/hidden' > .git/info/exclude; echo h > hidden; echo '* filter=x' > "
      ".git/info/attributes;"
      "mkdir .vscode; echo '{}' > .vscode/tasks.json; echo S=1 > .env");
  ASSERT_DIFF(result);
  EXPECT_EQ(result->diff.find("PWNED"), std::string::npos);
  EXPECT_EQ(result->diff.find("EXTERNAL"), std::string::npos);
  EXPECT_NE(result->diff.find("+two"), std::string::npos);
  EXPECT_NE(result->diff.find("b/hidden"), std::string::npos);
  EXPECT_EQ(result->diff.find("pwned"), std::string::npos);
  for (const char* path :
       {".git/config", ".git/hooks/pre-commit", ".git/info/attributes", ".gitattributes", ".vscode/tasks.json", ".env"})
    EXPECT_TRUE(Flagged(*result, path)) << path;
}

TEST_F(GitAttack, Attack30_RepositoryReplacedByAFileOrALinkOrNothing) {
  CheckOut(Capture("echo one > a; git add -A; git commit -qm one"));
  ASSERT_TRUE(checkout_);
  for (const char* script : {"rm -rf .git; echo 'gitdir: /tmp/evil' > .git", "rm -rf .git; ln -s /tmp/evil .git",
                             "rm -rf .git", "rm -rf .git; git init -q .; git config core.worktree /etc"}) {
    auto result = RunAndCollect(fmt::format("{}; echo two > a", script));
    ASSERT_DIFF(result) << script;
    ASSERT_EQ(result->changed.size(), 1u) << script;
    EXPECT_EQ(result->changed[0].path, "a");
    EXPECT_TRUE(Flagged(*result, ".git") || Flagged(*result, ".git/config")) << script;
  }
}

TEST_F(GitAttack, Attack29_SpecialFilesAndLinksLeftByTheJob) {
  CheckOut(Capture("mkdir d; echo one > d/a; git add -A; git commit -qm one"));
  ASSERT_TRUE(checkout_);
  auto result = RunAndCollect(
      "mkfifo pipe; ln -s /etc/shadow s; rm -r d; ln -s /etc d; ln a hard 2>/dev/null; chmod 4755 s 2>/dev/null;"
      "echo x > secret; chmod 0 secret; echo 'n' > 'new\nline'; true");
  ASSERT_DIFF(result);
  ASSERT_EQ(result->skipped.size(), 1u);
  EXPECT_EQ(result->skipped[0].path, "pipe");
  EXPECT_TRUE(Flagged(*result, "s"));
  EXPECT_TRUE(Flagged(*result, "d"));
  for (const auto& one : result->changed) {
    if (one.path == "s") {
      EXPECT_EQ(one.sha256, crypto::Sha256Hex("/etc/shadow"));
    }
    if (one.path == "d/a") {
      EXPECT_EQ(one.sha256, std::string(64, '0'));
    }
    if (one.path == "secret") {
      EXPECT_EQ(one.sha256, crypto::Sha256Hex("x\n"));
    }
  }
  EXPECT_EQ(result->changed.size(), 5u);
}

TEST_F(GitAttack, Attack30_NestedRepositoriesAndNamesLikeTheRepository) {
  CheckOut(Capture("echo one > a; git add -A; git commit -qm one"));
  ASSERT_TRUE(checkout_);
  auto result = RunAndCollect(
      "mkdir -p sub .GIT/hooks; cd sub; git init -q .; git config core.fsmonitor 'touch /work/pwned'; echo s > s;"
      "cd ..; echo h > .GIT/hooks/x; echo two > a");
  ASSERT_DIFF(result);
  EXPECT_EQ(result->diff.find("pwned"), std::string::npos);
  EXPECT_EQ(result->diff.find(".GIT"), std::string::npos);
  EXPECT_NE(result->diff.find("+two"), std::string::npos);
  EXPECT_NE(result->complaints, "");
}

TEST_F(GitAttack, Attack30_ARepositoryInsideTheWorkspaceRunsNothing) {
  CheckOut(Capture("git init -q sub; cd sub; echo s > s; git add s; git -c user.name=a -c user.email=a@b commit -qm s; cd ..;"
                   "git add sub 2>/dev/null; echo one > a; git add a; git commit -qm one"));
  ASSERT_TRUE(checkout_);
  auto result = RunAndCollect(
      "mkdir -p sub; cd sub; git init -q . ; git config user.name a; git config user.email a@b; echo s > s; git add s;"
      "git commit -qm s; git config filter.x.clean 'echo pwned; touch /work/pwned'; echo 's filter=x' > .gitattributes;"
      "echo t > s; cd ..; echo two > a");
  ASSERT_DIFF(result);
  EXPECT_EQ(result->diff.find("pwned"), std::string::npos) << result->diff;
  EXPECT_NE(result->diff.find("+two"), std::string::npos);
  const auto named = [&](const auto& one) { return one.path == "sub/.git"; };
  EXPECT_TRUE(std::any_of(result->skipped.begin(), result->skipped.end(), named));
}

TEST_F(GitAttack, ManifestPathsThatReachTheRepositoryOrLeaveTheTree) {
  const auto good =
      Capture("ln -s ../outside link; mkdir ../outside; mkdir d; echo d > d/x; git add -A; git commit -qm one");
  const std::string hash = blobs_->Put("#!/bin/sh\n");
  for (const char* path : {".git/config", ".git/hooks/post-checkout", ".GIT/config", "d/.git/config", "git~1/x", "../x",
                           "/x", "link/x", "link", "d", "./.git/x", "d/x/y", "a/", "x\ny"}) {
    auto manifest = good;
    manifest.untracked_files.push_back({path, hash, 10});
    const auto refused = Get(manifest);
    ASSERT_FALSE(refused) << path;
    EXPECT_NE(refused.error().code, Code::kUnavailable) << refused.error().what;
  }
  auto twice = good;
  twice.untracked_files = {{"x", hash, 10}, {"./x", hash, 10}};
  EXPECT_EQ(Get(twice).error().code, Code::kInvalid);
  EXPECT_TRUE(fs::is_empty(scratch_ / "outside"));
}

/// A tree that git itself would never write: made object by object.
TEST_F(GitAttack, Attack28_BundleWithNamesOfTheRepository) {
  for (const char* entry :
       {".git/hooks/post-checkout", ".GIT/hooks/post-checkout", "..", "a/../../x", "git~1/config"}) {
    const auto manifest = [&] {
      Shell("rm -rf .git");
      std::ofstream(scratch_ / "evil.py") << R"(
import subprocess, sys
def put(kind, body):
    made = subprocess.run(['git', 'hash-object', '-w', '--literally', '-t', kind, '--stdin'], input=body, capture_output=True, check=True)
    return made.stdout.decode().strip()
sha, mode = put('blob', b'#!/bin/sh'), b'100755'
for name in reversed(sys.argv[1].split('/')):
    sha, mode = put('tree', mode + b' ' + name.encode() + bytes(1) + bytes.fromhex(sha)), b'40000'
print(sha)
)";
      return Capture(fmt::format("git update-ref HEAD $(git commit-tree -m evil $(python3 ../evil.py '{}'))", entry));
    }();
    const auto refused = Get(manifest);
    ASSERT_FALSE(refused) << entry;
    EXPECT_EQ(refused.error().code, Code::kCorrupt) << refused.error().what;
  }
}

TEST_F(GitAttack, SubmodulesFiltersAndHooksOfABundleDoNothing) {
  CheckOut(
      Capture("echo '* filter=evil diff=evil merge=evil' > .gitattributes; echo one > a;"
              "printf '[submodule \"s\"]\\n path = s\\n url = ext::sh -c touch%% /work/pwned\\n' > .gitmodules;"
              "git add -A; mkdir s; git update-index --add --cacheinfo "
              "160000,1111111111111111111111111111111111111111,s; git commit -qm one"));
  ASSERT_TRUE(checkout_);
  EXPECT_FALSE(fs::exists(fs::path(checkout_->path) / "pwned"));
  auto result = RunAndCollect("echo two > a");
  ASSERT_DIFF(result);
  ASSERT_EQ(result->changed.size(), 1u) << result->diff;
  EXPECT_EQ(result->changed[0].path, "a");
}

TEST_F(GitAttack, Attack11_BundlesThatUnpackToMoreThanTheLimits) {
  CheckoutOptions options;
  options.git.tree_bytes_max = 32u << 20;
  options.git.memory_bytes_max = 256u << 20;
  options.git.entries_max = 2000;
  OpenCache(options);
  const auto huge = Capture("head -c 100000000 /dev/zero > zeros; git add -A; git commit -qm one");
  auto refused = Get(huge);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kExhausted) << refused.error().what;
  Shell("rm -rf .git zeros");
  const auto many = Capture("mkdir m; cd m; seq 3000 | xargs touch; cd ..; git add -A; git commit -qm one");
  refused = Get(many);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kExhausted) << refused.error().what;
  // Many blobs that are each a small difference to one.
  Shell("rm -rf .git m");
  const auto deltas = Capture(
      "head -c 1000000 /dev/urandom > base; for i in $(seq 40); do (echo $i; cat base) > f$i; done; git add -A; git "
      "commit -qm one;"
      "git repack -qadf");
  ASSERT_LT(fs::file_size(scratch_ / "bundle"), 4'000'000u);
  refused = Get(deltas);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kExhausted) << refused.error().what;
  Shell("rm -rf base f*");
  // One blob, shared by exponentially many paths: looked at by nobody but the cell.
  Shell(
      "rm -rf .git m; git init -q -b main .;"
      "t=$(echo x | git hash-object -w --stdin | awk '{for(i=0;i<8;i++) print \"100644 blob \" $1 \"\\tf\" i}' | git "
      "mktree);"
      "for l in 1 2 3 4 5 6; do t=$(for i in 0 1 2 3 4 5 6 7; do printf '040000 tree %s\\td%s\\n' $t $i; done | git "
      "mktree); done;"
      "git update-ref HEAD $(git commit-tree -m bomb $t); git bundle create -q ../bomb HEAD");
  contract::WorkspaceManifest bomb;
  bomb.base_ref = Shell("git rev-parse HEAD").substr(0, 40);
  bomb.bundle_hash = blobs_->Put(ReadText(scratch_ / "bomb"));
  EXPECT_LT(fs::file_size(scratch_ / "bomb"), 10'000u);
  refused = Get(bomb);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kExhausted) << refused.error().what;
  EXPECT_TRUE(fs::is_empty(scratch_ / "cache"));
}

TEST_F(GitAttack, JobThatLeavesMoreThanTheLimits) {
  CheckOut(Capture("echo one > a; git add -A; git commit -qm one"));
  ASSERT_TRUE(checkout_);
  GitLimits limits;
  limits.tree_bytes_max = 8u << 20;
  auto result = RunAndCollect("head -c 20000000 /dev/zero > zeros", limits);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::kExhausted) << result.error().what;
  limits = {};
  limits.entries_max = 500;
  result = RunAndCollect("mkdir m; cd m; seq 2000 | xargs touch", limits);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::kExhausted) << result.error().what;
}

TEST_F(GitAttack, Attack11_DiskThatIsFullWhileChangesAreTakenIsNoSmallerDiff) {
  CheckOut(Capture("echo one > a; git add -A; git commit -qm one"));
  ASSERT_TRUE(checkout_);
  GitLimits limits;
  limits.tree_bytes_max = 9u << 20;  // enough for the files, not for their objects
  const auto result = RunAndCollect("for i in 1 2 3 4; do head -c 2000000 /dev/urandom > f$i; done", limits);
  ASSERT_FALSE(result) << result->diff.size();
  EXPECT_EQ(result.error().code, Code::kExhausted) << result.error().what;
}

TEST_F(GitAttack, Attack44_NoRunSeesWhatAnotherLeft) {
  CheckOut(Capture("echo one > a; git add -A; git commit -qm one"));
  ASSERT_TRUE(checkout_);
  const auto first = RunAndCollect("echo secret > b; echo two > a; rm -rf .git/hooks; echo x >> .git/config");
  ASSERT_DIFF(first);
  const auto second = RunAndCollect("cat a; ls; grep -c x .git/config || true; test -d .git/hooks");
  ASSERT_DIFF(second);
  EXPECT_EQ(sink_.text, "one\na\n0\n");
}

}  // namespace
}  // namespace writ::session
