// Checkouts of governed workspaces, made in cells and kept by content.

#include <sys/stat.h>
#include <sys/wait.h>

#include <thread>

#include "base/bytes.h"
#include "canon/vectors_for_test.h"
#include "contract/hash.h"
#include "git_for_test.h"

namespace writ::session {
namespace {

using contract::WorkspaceManifest;

class GitCheckout : public GitTest {};

TEST_F(GitCheckout, VectorWorkspaceMaterialises) {
  const canon::Json file = test::VectorFile("workspace.json");
  const auto manifest = contract::DecodeManifest(*file.Find("manifest"));
  ASSERT_TRUE(manifest) << manifest.error().what;
  EXPECT_EQ(crypto::Sha256Hex(canon::Canonical(contract::ToJson(*manifest)).value()), *file.FindString("manifestHash"));
  for (const canon::Json& blob : file.Find("blobs")->array())
    EXPECT_EQ(blobs_->Put(*Base64DecodeLenient(*blob.FindString("base64"))), *blob.FindString("sha256"));
  CheckOut(*manifest);
  ASSERT_TRUE(checkout_);
  EXPECT_TRUE(checkout_->had_local_changes);
  std::map<std::string, std::string> tree;
  for (const auto& entry : fs::recursive_directory_iterator(checkout_->path)) {
    const std::string path = fs::relative(entry.path(), checkout_->path).string();
    if (entry.is_regular_file() && !path.starts_with(".git/")) tree[path] = ReadText(entry.path());
  }
  std::map<std::string, std::string> expected;
  for (const auto& [path, text] : file.Find("expectedTree")->object()) expected[path] = text.string();
  EXPECT_EQ(tree, expected);
  // What a job's own git says of it: detached, the diff unstaged, the file untracked.
  const auto seen =
      RunAndCollect("git rev-parse HEAD; git symbolic-ref -q HEAD || echo detached; git status --porcelain");
  ASSERT_DIFF(seen);
  EXPECT_EQ(sink_.text, manifest->base_ref + "\ndetached\n M src/a.txt\n?? note.md\n");
}

TEST_F(GitCheckout, BytesModesLinksAndNamesAreKept) {
  CheckOut(
      Capture("printf 'a\\0b\\377\\r\\n' > bin; echo run > tool; chmod 755 tool; ln -s ../outside link; mkdir -p d/e;"
              "echo x > 'd/e/new\nline'; echo y > 'caf\303\251'; git add -A; git commit -qm one;"
              "printf 'z\\0' >> bin; echo u > 'un\ttracked'"));
  ASSERT_TRUE(checkout_);
  const fs::path tree = checkout_->path;
  EXPECT_EQ(ReadText(tree / "bin"), std::string("a\0b\377\r\nz\0", 8));
  EXPECT_EQ(fs::read_symlink(tree / "link"), "../outside");
  struct stat meta{};
  ASSERT_EQ(::stat((tree / "tool").c_str(), &meta), 0);
  EXPECT_EQ(meta.st_mode & 07777, 0755u);
  EXPECT_EQ(ReadText(tree / "d/e/new\nline"), "x\n");
  EXPECT_EQ(ReadText(tree / "caf\303\251"), "y\n");
  EXPECT_EQ(ReadText(tree / "un\ttracked"), "u\n");
}

TEST_F(GitCheckout, SeenBeforeNeedsNoBlobsAndNoCell) {
  const auto manifest = Capture("echo one > a; git add -A; git commit -qm one; echo two > a");
  CheckOut(manifest);
  ASSERT_TRUE(checkout_);
  const std::string path = checkout_->path;
  EXPECT_EQ(blobs_->opened, 2);
  backend_.reset();
  isolation::Backend* none = nullptr;
  auto again = cache_->Get(manifest, *blobs_, *none, Deadline::After(Millis{1000}));
  ASSERT_TRUE(again) << again.error().what;
  EXPECT_EQ((*again)->path, path);
  EXPECT_EQ(blobs_->opened, 2);
}

TEST_F(GitCheckout, ChangedEntryIsMadeAgain) {
  const auto manifest = Capture("echo one > a; git add -A; git commit -qm one");
  CheckOut(manifest);
  ASSERT_TRUE(checkout_);
  const fs::path tree = checkout_->path;
  checkout_.reset();
  const auto then = fs::last_write_time(tree / "a");
  std::ofstream(tree / "a") << "two\n";   // same size
  fs::last_write_time(tree / "a", then);  // same time
  CheckOut(manifest);
  ASSERT_TRUE(checkout_);
  EXPECT_EQ(ReadText(tree / "a"), "one\n");
}

TEST_F(GitCheckout, WrongBlobIsRefusedAndNothingIsKept) {
  const auto manifest = Capture("echo one > a; git add -A; git commit -qm one; echo two > a; echo new > 'n.txt'");
  struct Case {
    std::string hash, what;
  };
  for (const Case& c : {Case{manifest.bundle_hash, "bundle"}, Case{*manifest.dirty_diff_hash, "dirty diff"},
                        Case{manifest.untracked_files[0].hash, "n.txt"}}) {
    const std::string right = ReadText(scratch_ / "blobs" / c.hash);
    blobs_->PutAs(c.hash, right + "x");
    const auto refused = Get(manifest);
    ASSERT_FALSE(refused) << c.what;
    EXPECT_EQ(refused.error().code, Code::kCorrupt) << refused.error().what;
    EXPECT_NE(refused.error().what.find("blob hash mismatch for " + c.what), std::string::npos) << refused.error().what;
    EXPECT_TRUE(fs::is_empty(scratch_ / "cache"));
    blobs_->PutAs(c.hash, right);
  }
  EXPECT_TRUE(Get(manifest));
}

TEST_F(GitCheckout, MissingCommitAndBrokenBundleAreNamed) {
  auto manifest = Capture("echo one > a; git add -A; git commit -qm one");
  auto other = manifest;
  other.base_ref = std::string(40, 'a');
  auto refused = Get(other);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kCorrupt);
  EXPECT_NE(refused.error().what.find("no commit"), std::string::npos) << refused.error().what;
  other.base_ref = "--orphan";
  EXPECT_EQ(Get(other).error().code, Code::kInvalid);
  other = manifest;
  other.bundle_hash = blobs_->Put("# v2 git bundle\nrubbish");
  refused = Get(other);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kCorrupt);
  other = manifest;
  other.dirty_diff_hash = blobs_->Put("diff --git a/none b/none\n--- a/none\n+++ b/none\n@@ -1 +1 @@\n-x\n+y\n");
  refused = Get(other);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().what.find("dirty diff does not apply"), std::string::npos) << refused.error().what;
}

TEST_F(GitCheckout, OldestUnusedEntryGoesFirst) {
  const auto first = Capture("echo one > a; git add -A; git commit -qm one");
  OpenCache({.bytes_max = 1, .git = {}});
  CheckOut(first);
  ASSERT_TRUE(checkout_);
  const auto held = checkout_;
  Shell("echo two > a; git commit -qam two");
  const auto second = Capture("");
  CheckOut(second);
  ASSERT_TRUE(checkout_);
  EXPECT_TRUE(fs::exists(held->path)) << "in use";
  checkout_.reset();
  const std::string path = held->path;
  const_cast<std::shared_ptr<const Checkout>&>(held).reset();
  Shell("echo three > a; git commit -qam three");
  CheckOut(Capture(""));
  EXPECT_FALSE(fs::exists(path));
  EXPECT_EQ(std::distance(fs::directory_iterator(scratch_ / "cache"), {}), 1);
}

TEST_F(GitCheckout, ManyThreadsMakeItOnce) {
  const auto manifest = Capture("echo one > a; git add -A; git commit -qm one");
  std::vector<std::jthread> threads;
  std::vector<std::string> paths(4);
  for (auto& path : paths)
    threads.emplace_back([&] {
      const auto got = Get(manifest);
      path = got ? (*got)->path : got.error().what;
    });
  threads.clear();
  for (const auto& path : paths) EXPECT_EQ(path, paths[0]);
  EXPECT_TRUE(fs::exists(paths[0]));
  EXPECT_EQ(blobs_->opened, 1);
}

TEST_F(GitCheckout, SeveralProcessesMakeItSafely) {
  const auto manifest = Capture("echo one > a; git add -A; git commit -qm one");
  cache_.reset();
  backend_.reset();  // each process has a jail of its own
  std::vector<pid_t> children;
  for (int i = 0; i < 3; ++i) {
    const pid_t pid = ::fork();
    ASSERT_GE(pid, 0);
    if (pid == 0) {
      auto backend = isolation::process::ProcessBackend::Create(
          {.path = WRIT_BIN_DIR "/writ-jail", .warm_cells = 0, .delegated_cgroup = ""});
      auto cache = CheckoutCache::Open((scratch_ / "cache").string(), {});
      if (!backend || !cache) ::_exit(2);
      const auto got = (*cache)->Get(manifest, *blobs_, **backend, Deadline::After(Millis{60'000}));
      ::_exit(got && ReadText(fs::path((*got)->path) / "a") == "one\n" ? 0 : 1);
    }
    children.push_back(pid);
  }
  for (const pid_t pid : children) {
    int status = -1;
    ASSERT_EQ(::waitpid(pid, &status, 0), pid);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(std::distance(fs::directory_iterator(scratch_ / "cache"), {}), 1);
}

TEST_F(GitCheckout, AbandonedDirectoriesAreSwept) {
  fs::create_directories(scratch_ / "cache/making-dead/tree");
  fs::create_directories(scratch_ / "cache/gone-dead/tree");
  fs::create_directories(scratch_ / "cache/making-young");
  const timespec old[2] = {{1'000'000'000, 0}, {1'000'000'000, 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, (scratch_ / "cache/making-dead").c_str(), old, 0), 0);
  OpenCache();
  EXPECT_FALSE(fs::exists(scratch_ / "cache/making-dead"));
  EXPECT_FALSE(fs::exists(scratch_ / "cache/gone-dead"));
  EXPECT_TRUE(fs::exists(scratch_ / "cache/making-young"));
}

TEST_F(GitCheckout, CacheThatOthersMayWriteIsRefused) {
  fs::create_directories(scratch_ / "open");
  fs::permissions(scratch_ / "open", fs::perms::all);
  const auto refused = CheckoutCache::Open((scratch_ / "open").string(), {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kDenied);
}

}  // namespace
}  // namespace writ::session
