#include "client/capture.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/bytes.h"
#include "canon/vectors_for_test.h"
#include "client/repository_for_test.h"
#include "client/user_git.h"
#include "crypto/digest.h"

namespace writ::client {
namespace {

Deadline Soon() { return Deadline::After(Millis{60'000}); }

class CaptureTest : public RepositoryTest {
 protected:
  Result<Captured> Take(std::vector<std::string> allow = {}, DenyTracked tracked = DenyTracked::kAllow) {
    CaptureRequest request;
    request.repository = repo_.string();
    request.bundles = (scratch_ / "state/bundles").string();
    request.allow_untracked = std::move(allow);
    request.deny_tracked = tracked;
    return Capture(request, Soon());
  }
  static std::string ContentOf(const Upload& upload) {
    return upload.file.empty() ? upload.bytes : ReadText(upload.file);
  }
};

TEST_F(CaptureTest, RecordedWorkspaceIsCapturedAgain) {
  const canon::Json file = test::VectorFile("workspace.json");
  const canon::Json& manifest = *file.Find("manifest");
  std::ofstream(scratch_ / "bundle", std::ios::binary)
      << *Base64DecodeLenient(*file.Find("blobs")->array()[0].FindString("base64"));
  std::ofstream(scratch_ / "dirty", std::ios::binary)
      << *Base64DecodeLenient(*file.Find("blobs")->array()[1].FindString("base64"));
  const std::string base = *manifest.FindString("baseRef");
  Shell("git fetch -q ../bundle HEAD; git checkout -q -B main " + base +
        "; git apply ../dirty; echo untracked > note.md; echo S=1 > .env;"
        "echo other > other.txt; mkdir ignored; echo i > ignored/i.md");
  const auto captured = Take({"*.md", ".env"});
  ASSERT_TRUE(captured) << captured.error().what;
  auto expected = *contract::DecodeManifest(manifest);
  auto got = captured->manifest;
  EXPECT_NE(got.bundle_hash, "");
  got.bundle_hash = expected.bundle_hash;  // git writes packs differently from version to version
  EXPECT_EQ(got, expected);
  ASSERT_EQ(captured->uploads.size(), 3u);
  for (const Upload& upload : captured->uploads) EXPECT_EQ(crypto::Sha256Hex(ContentOf(upload)), upload.hash);
}

TEST_F(CaptureTest, BundleIsReusedUntilHeadMovesAndMendedWhenDamaged) {
  Shell("echo one > a; git add -A; git commit -qm one");
  const auto first = Take();
  ASSERT_TRUE(first) << first.error().what;
  EXPECT_FALSE(first->bundle_reused);
  EXPECT_FALSE(first->manifest.dirty_diff_hash);
  Shell("echo two > a");
  const auto second = Take();
  ASSERT_TRUE(second) << second.error().what;
  EXPECT_TRUE(second->bundle_reused);
  EXPECT_EQ(second->manifest.bundle_hash, first->manifest.bundle_hash);
  ASSERT_TRUE(second->manifest.dirty_diff_hash);
  std::ofstream(second->uploads[0].file, std::ios::app) << "x";
  const auto third = Take();
  ASSERT_TRUE(third) << third.error().what;
  EXPECT_FALSE(third->bundle_reused);
  EXPECT_EQ(crypto::Sha256Hex(ReadText(third->uploads[0].file)), third->manifest.bundle_hash);
  Shell("git commit -qam two");
  const auto fourth = Take();
  ASSERT_TRUE(fourth) << fourth.error().what;
  EXPECT_FALSE(fourth->bundle_reused);
  Shell("git clone -q " + fourth->uploads[0].file +
        " ../copy; test \"$(git -C ../copy rev-parse HEAD)\" = \"$(git rev-parse HEAD)\"");
}

TEST_F(CaptureTest, DenyWinsAndWhatCannotTravelIsNamed) {
  Shell(
      "echo one > a; git add -A; git commit -qm one; mkdir d; echo k > d/server.key; echo x > d/x; ln -s /etc/passwd "
      "link; mkfifo pipe;"
      "echo n > 'new\nline'; echo b > 'back\\slash'; mkdir nested; git init -q nested; echo e > .env.local; mkdir "
      "id_rsa_dir; echo z > id_rsa_dir/z;"
      "ln -s /etc dirlink; echo u > 'caf\303\251'");
  const auto captured = Take({"**"});
  ASSERT_TRUE(captured) << captured.error().what;
  std::vector<std::string> taken;
  for (const auto& file : captured->manifest.untracked_files) taken.push_back(file.path);
  EXPECT_EQ(taken, (std::vector<std::string>{"caf\303\251", "d/x", "id_rsa_dir/z"}));
  EXPECT_EQ(captured->manifest.denied_paths, (std::vector<std::string>{".env.local", "d/server.key"}));
  std::vector<std::string> skipped;
  for (const auto& one : captured->skipped) skipped.push_back(one.path);
  EXPECT_EQ(skipped, (std::vector<std::string>{"back\\slash", "dirlink", "link", "nested/", "new\nline"}));
}

TEST_F(CaptureTest, NothingIsTakenUnasked) {
  Shell("echo one > a; git add -A; git commit -qm one; echo x > x; echo S > .env");
  const auto captured = Take();
  ASSERT_TRUE(captured) << captured.error().what;
  EXPECT_TRUE(captured->manifest.untracked_files.empty());
  EXPECT_EQ(captured->manifest.denied_paths, std::vector<std::string>{".env"});
  EXPECT_EQ(captured->uploads.size(), 1u);
}

TEST_F(CaptureTest, TrackedDeniedFilesAreListedOrRefused) {
  Shell("echo S=1 > .env; echo one > a; git add -Af; git commit -qm one");
  const auto allowed = Take();
  ASSERT_TRUE(allowed) << allowed.error().what;
  EXPECT_EQ(allowed->tracked_denied, std::vector<std::string>{".env"});
  auto refused = Take({}, DenyTracked::kRefuse);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kDenied);
  EXPECT_NE(refused.error().what.find(".env"), std::string::npos) << refused.error().what;
  // Gone from the newest commit, but the bundle has the history.
  Shell("git rm -q .env; git commit -qm two");
  refused = Take({}, DenyTracked::kRefuse);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().what.find(".env"), std::string::npos) << refused.error().what;
  // Staged but never committed: in the dirty diff.
  Shell(
      "rm -rf .git a; git init -q -b main .; echo one > a; git add -A; git commit -qm one; echo k > x.pem; git add -f "
      "x.pem");
  refused = Take({}, DenyTracked::kRefuse);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().what.find("x.pem"), std::string::npos) << refused.error().what;
  Shell("git reset -q");
  EXPECT_TRUE(Take({}, DenyTracked::kRefuse));
}

TEST_F(CaptureTest, Attack30_ProgramsOfTheRepositoryDoNotRun) {
  Shell(
      "printf 'bin\\0' > a.bin; echo one > a; echo '*.bin diff=evil' > .gitattributes; git add -A; git commit -qm one;"
      "printf '#!/bin/sh\\ntouch " +
      scratch_.string() +
      "/pwned\\n' > ../evil; chmod 755 ../evil;"
      "git config core.fsmonitor " +
      (scratch_ / "evil").string() + "; git config diff.external " + (scratch_ / "evil").string() +
      "; git config diff.evil.textconv " + (scratch_ / "evil").string() + "; git config diff.evil.command " +
      (scratch_ / "evil").string() + "; git config core.pager " + (scratch_ / "evil").string() +
      "; mkdir -p .git/hooks; for h in post-index-change reference-transaction"
      " post-checkout pre-commit; do cp ../evil .git/hooks/$h; done; rm -f ../pwned");
  std::ofstream(repo_ / "a") << "two\n";
  std::ofstream(repo_ / "a.bin", std::ios::binary) << std::string("more\0", 5);
  const auto captured = Take({"**"});
  ASSERT_TRUE(captured) << captured.error().what;
  EXPECT_FALSE(fs::exists(scratch_ / "pwned"));
  ASSERT_EQ(captured->uploads.size(), 2u);
  EXPECT_NE(captured->uploads[1].bytes.find("+two"), std::string::npos);
  EXPECT_NE(captured->uploads[1].bytes.find("GIT binary patch"), std::string::npos);
}

TEST_F(CaptureTest, Attack30_ProgramsThatCheckSignaturesOrFetchDoNotRun) {
  const std::string evil = (scratch_ / "evil").string();
  Shell("printf '#!/bin/sh\ntouch " + (scratch_ / "pwned").string() + "\n' > ../evil; chmod 755 ../evil; echo one > a; echo k > .env;"
        "git add -Af; git commit -qm one; git config log.showSignature true; git config gpg.program " + evil +
        "; git cat-file commit HEAD | sed 's/^committer.*/&\\ngpgsig -----BEGIN PGP SIGNATURE-----\\n \\n x\\n -----END PGP SIGNATURE-----/' > ../commit;"
        "git update-ref HEAD $(git hash-object -t commit -w ../commit)");
  EXPECT_FALSE(Take({}, DenyTracked::kRefuse));  // the history has one, and git log found it
  EXPECT_FALSE(fs::exists(scratch_ / "pwned"));
  Shell("git config --unset log.showSignature; git config extensions.partialClone origin; git config remote.origin.promisor true;"
        "git config remote.origin.url " + repo_.string() + "; git config remote.origin.uploadpack " + evil +
        "; b=$(git rev-parse HEAD:a); rm -f .git/objects/$(echo $b | cut -c1-2)/$(echo $b | cut -c3-)");
  std::ofstream(repo_ / "a") << "two\n";
  EXPECT_FALSE(Take());  // an object is missing and nobody fetches it
  EXPECT_FALSE(fs::exists(scratch_ / "pwned"));
}

TEST_F(CaptureTest, UsersDiffSettingsDoNotChangeTheDiff) {
  Shell("mkdir d; echo one > d/a; git add -A; git commit -qm one; echo two > d/a");
  const std::string plain = Shell("git diff --binary HEAD");
  Shell(
      "git config --global diff.noprefix true; git config --global color.ui always; git config --global "
      "diff.mnemonicPrefix true;"
      "git config --global diff.relative true; git config --global core.pager 'sed s/two/pager/'");
  CaptureRequest request;
  request.repository = (repo_ / "d").string();
  request.bundles = (scratch_ / "state/bundles").string();
  const auto captured = Capture(request, Soon());
  ASSERT_TRUE(captured) << captured.error().what;
  ASSERT_EQ(captured->uploads.size(), 2u);
  EXPECT_EQ(captured->uploads[1].bytes, plain);
  EXPECT_EQ(captured->repository, fs::canonical(repo_).string());
}

TEST_F(CaptureTest, PlacesThatCannotBeCaptured) {
  auto refused = Take();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kNotFound) << refused.error().what;  // no commit
  Shell(
      "echo one > a; git add -A; git commit -qm one; echo two > a; git commit -qam two; git clone -q --depth 1 "
      "file://$PWD ../shallow");
  CaptureRequest request;
  request.bundles = (scratch_ / "state/bundles").string();
  request.repository = (scratch_ / "shallow").string();
  refused = Capture(request, Soon());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kUnavailable) << refused.error().what;
  request.repository = scratch_.string();
  EXPECT_EQ(Capture(request, Soon()).error().code, Code::kNotFound);
  Shell("head -c 5000 /dev/urandom > big");
  request.repository = repo_.string();
  request.allow_untracked = {"big"};
  request.blob_bytes_max = 4096;
  EXPECT_EQ(Capture(request, Soon()).error().code, Code::kExhausted);
}

TEST_F(CaptureTest, GitThatHangsOrFloodsIsEnded) {
  Shell("mkdir ../bin; printf '#!/bin/sh\\nsleep 60 & sleep 60\\n' > ../bin/git; chmod 755 ../bin/git");
  const std::string path = ::getenv("PATH");
  ::setenv("PATH", (scratch_ / "bin").string().append(":").append(path).c_str(), 1);
  const UserGit git(repo_.string());
  EXPECT_EQ(git.Run({.args = {"status"}, .input = {}, .env = {}}, Deadline::After(Millis{50})).error().code,
            Code::kDeadline);
  Shell("printf '#!/bin/sh\\nyes\\n' > ../bin/git");
  EXPECT_EQ(git.Run({.args = {"status"}, .input = {}, .out_bytes_max = 1000, .env = {}}, Soon()).error().code,
            Code::kExhausted);
  ::setenv("PATH", (scratch_ / "none").string().c_str(), 1);
  EXPECT_EQ(git.Run({.args = {"status"}, .input = {}, .env = {}}, Soon()).error().code, Code::kUnavailable);
  ::setenv("PATH", path.c_str(), 1);
}

}  // namespace
}  // namespace writ::client
