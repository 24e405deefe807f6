#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "contract/manifest.h"
#include "crypto/digest.h"
#include "isolation/process/process_backend.h"
#include "isolation/test_user_for_test.h"
#include "session/checkout_cache.h"
#include "session/git_collect.h"
#include "session/git_script_for_test.h"
#include "sys/file.h"

/// Repositories, their captures and runs on them. Only for tests.
namespace writ::session {

namespace fs = std::filesystem;

/// Contents in a directory, under their digests.
class FolderBlobs final : public workspace::BlobSource {
 public:
  explicit FolderBlobs(fs::path folder) : folder_(std::move(folder)) { fs::create_directories(folder_); }
  std::string Put(std::string_view bytes) {
    const std::string hash = crypto::Sha256Hex(bytes);
    PutAs(hash, bytes);
    return hash;
  }
  void PutAs(const std::string& hash, std::string_view bytes) {
    std::ofstream(folder_ / hash, std::ios::binary) << bytes;
  }
  Result<sys::UniqueFd> Open(std::string_view sha256) override {
    ++opened;
    return sys::OpenFile((folder_ / sha256).string(), O_RDONLY);
  }
  int opened = 0;

 private:
  fs::path folder_;
};

class QuietSink final : public isolation::OutputSink {
 public:
  Result<> Write(isolation::Stream, ByteView bytes) override {
    text += AsText(bytes);
    return {};
  }
  Result<> Truncated(isolation::Stream) override { return {}; }
  std::string text;
};

class GitTest : public testing::Test {
 protected:
  void SetUp() override {
    isolation::BecomeTestUser();
    std::string name = (fs::temp_directory_path() / "writ-git-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    scratch_ = name;
    blobs_ = std::make_unique<FolderBlobs>(scratch_ / "blobs");
    auto backend = isolation::process::ProcessBackend::Create(
        {.path = WRIT_BIN_DIR "/writ-jail", .warm_cells = 0, .delegated_cgroup = ""});
    ASSERT_TRUE(backend) << backend.error().what;
    backend_ = *std::move(backend);
    OpenCache();
  }
  void TearDown() override {
    checkout_.reset();
    cache_.reset();
    backend_.reset();
    fs::remove_all(scratch_);
  }
  void OpenCache(CheckoutOptions options = {}) {
    auto cache = CheckoutCache::Open((scratch_ / "cache").string(), std::move(options));
    ASSERT_TRUE(cache) << cache.error().what;
    cache_ = *std::move(cache);
  }

  /// Runs a shell script with the user's git in `repo`; returns its output.
  std::string Shell(const std::string& script) { return RunGitScript(scratch_, script); }
  /// Makes a repository by a script and captures it as the protocol says, with all untracked files.
  contract::WorkspaceManifest Capture(const std::string& script) {
    Shell("git init -q -b main .\n" + script);
    contract::WorkspaceManifest manifest;
    manifest.base_ref = Shell("git rev-parse HEAD").substr(0, 40);
    Shell(
        "git bundle create -q ../bundle HEAD; git diff --binary HEAD > ../dirty; git ls-files -z --others "
        "--exclude-standard > ../others");
    manifest.bundle_hash = blobs_->Put(ReadText(scratch_ / "bundle"));
    if (const std::string dirty = ReadText(scratch_ / "dirty"); !dirty.empty())
      manifest.dirty_diff_hash = blobs_->Put(dirty);
    const std::string others = ReadText(scratch_ / "others");
    for (std::size_t at = 0; at < others.size();) {
      const std::string path = others.c_str() + at;
      at += path.size() + 1;
      const std::string bytes = ReadText(scratch_ / "repo" / path);
      manifest.untracked_files.push_back({path, blobs_->Put(bytes), bytes.size()});
    }
    return manifest;
  }

  Result<std::shared_ptr<const Checkout>> Get(const contract::WorkspaceManifest& manifest) {
    return cache_->Get(manifest, *blobs_, *backend_, Deadline::After(Millis{60'000}));
  }
  void CheckOut(const contract::WorkspaceManifest& manifest) {
    auto checkout = Get(manifest);
    ASSERT_TRUE(checkout) << checkout.error().what;
    checkout_ = *std::move(checkout);
  }

  /// Runs a shell script as a job on the checkout and collects.
  Result<GitDiff> RunAndCollect(const std::string& script, GitLimits limits = {}) {
    isolation::SessionSpec spec;
    spec.argv = {"/bin/sh", "-c", script};
    spec.env = {"PATH=/usr/bin:/bin",   "HOME=/tmp/home",       "GIT_AUTHOR_NAME=j",
                "GIT_AUTHOR_EMAIL=j@b", "GIT_COMMITTER_NAME=j", "GIT_COMMITTER_EMAIL=j@b"};
    spec.accepted = limits.accepted;
    spec.workspace = isolation::Layer{checkout_->path, WRIT_TRY("open", sys::OpenDirectory(checkout_->path))};
    sink_ = {};
    const auto session = WRIT_TRY("start", backend_->Start(std::move(spec), sink_));
    const auto outcome = WRIT_TRY("wait", session->Wait(Deadline::After(Millis{60'000})));
    if (outcome.how != isolation::Termination::kExited || outcome.code != 0)
      return Fail(Code::kInternal, "the job ended with {}: {} {}", outcome.code, outcome.message, sink_.text);
    const auto tree = WRIT_TRY("tree", session->Tree(isolation::Place::kWorkspace));
    return CollectGit(*checkout_, &tree, *backend_, limits, Deadline::After(Millis{60'000}));
  }

  fs::path scratch_;
  std::unique_ptr<FolderBlobs> blobs_;
  std::unique_ptr<isolation::Backend> backend_;
  std::unique_ptr<CheckoutCache> cache_;
  std::shared_ptr<const Checkout> checkout_;
  QuietSink sink_;
};

#define ASSERT_DIFF(result) ASSERT_TRUE(result) << (result).error().what

}  // namespace writ::session
