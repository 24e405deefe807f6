#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "base/deadline.h"
#include "base/error.h"
#include "contract/manifest.h"
#include "isolation/backend.h"
#include "session/git_cell.h"
#include "sys/unique_fd.h"
#include "workspace/blobs.h"

namespace writ::session {

/// A work tree in the cache that many runs see copy-on-write. Nothing evicts it while one of these is alive, in
/// whatever process.
struct Checkout {
  std::string path;   ///< absolute, free of links: the directory for SessionSpec::workspace
  std::string entry;  ///< the cache's directory around it
  std::string base_ref;
  bool had_local_changes = false;  ///< a dirty diff or untracked files lie on top of the commit
  sys::UniqueFd tree;              ///< `path`, opened
  sys::UniqueFd lock;              ///< shared lock on `entry`
};

struct CheckoutOptions {
  std::uint64_t bytes_max = 20ull << 30;  ///< of all entries together; entries in use may exceed it
  GitLimits git;
};

/// Work trees by content, in a directory that only this user's processes write. An entry is made under a temporary name
/// and renamed when it is complete, and carries a stamp of every file's size, inode and times that is compared before
/// each use: one that was changed is thrown away and made again. The entries used longest ago go first. Safe for
/// several threads and processes; what a crash leaves is removed by a later process.
class CheckoutCache {
 public:
  /// Makes the directory with mode 0700. Errors: kDenied when others could write it.
  static Result<std::unique_ptr<CheckoutCache>> Open(const std::string& directory, CheckoutOptions options);

  /// The work tree of a manifest; it is made when it is not here. `blobs` is asked only then.
  /// Errors: those of MakeCheckout; kDeadline when another thread is still making it.
  Result<std::shared_ptr<const Checkout>> Get(const contract::WorkspaceManifest& manifest, workspace::BlobSource& blobs,
                                              isolation::Backend& backend, Deadline deadline);

  const CheckoutOptions& options() const { return options_; }

 private:
  CheckoutCache(std::string directory, sys::UniqueFd fd, CheckoutOptions options)
      : directory_(std::move(directory)), fd_(std::move(fd)), options_(std::move(options)) {}

  Result<std::shared_ptr<const Checkout>> Find(const std::string& key);
  Result<> Make(const std::string& key, const contract::WorkspaceManifest& manifest, workspace::BlobSource& blobs,
                isolation::Backend& backend, Deadline deadline);
  Result<> Discard(const std::string& key);
  Result<> Sweep();
  Result<> Evict();

  const std::string directory_;
  const sys::UniqueFd fd_;
  const CheckoutOptions options_;
  std::mutex mutex_;
  std::condition_variable made_;
  std::set<std::string> making_;  ///< guarded by mutex_: keys that a thread is making
};

}  // namespace writ::session
