#include "session/checkout_cache.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <utility>
#include <vector>

#include "canon/json.h"
#include "crypto/digest.h"
#include "session/checkout_stamp.h"
#include "session/git_checkout.h"
#include "sys/beneath.h"
#include "sys/file.h"
#include "sys/tree.h"

namespace writ::session {
namespace {

using canon::Json;

constexpr char kRecord[] = "entry.json";
constexpr std::size_t kRecordBytesMax = 4096;
constexpr std::size_t kEntriesMax = 100'000;     ///< of the cache's directory
constexpr std::string_view kMaking = "making-";  ///< temporary names
constexpr std::string_view kGone = "gone-";
constexpr std::int64_t kAbandonedNs = 600ll * 1'000'000'000;  ///< a maker locks its directory long before that
constexpr std::uint64_t kEntryOverhead = 4096;  ///< bytes counted for a file or directory beside its content

/// Takes or tries a lock on an opened directory. False: another process holds it.
Result<bool> Lock(const sys::UniqueFd& fd, int how) {
  while (::flock(fd.get(), how | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return false;
    if (errno != EINTR) return FailErrno("lock a checkout");
  }
  return true;
}

bool SameDirectory(const sys::UniqueFd& at, const std::string& name, const sys::UniqueFd& opened) {
  struct stat now{}, then{};
  return ::fstatat(at.get(), name.c_str(), &now, AT_SYMLINK_NOFOLLOW) == 0 && ::fstat(opened.get(), &then) == 0 &&
         now.st_dev == then.st_dev && now.st_ino == then.st_ino;
}

struct Record {
  std::string stamp, base_ref;
  bool local_changes = false;
  std::uint64_t bytes = 0;
};

Json ToJson(const Record& record) {
  Json json = Json::MakeObject();
  json.Set("version", "writ.checkout.v1").Set("stamp", record.stamp).Set("baseRef", record.base_ref);
  json.Set("localChanges", record.local_changes).Set("bytes", record.bytes);
  return json;
}

Result<Record> ReadRecord(const sys::UniqueFd& entry) {
  const std::string text = WRIT_TRY("record", sys::ReadFileBeneath(entry, kRecord, kRecordBytesMax));
  const Json json = WRIT_TRY("record", canon::Parse(text, canon::Mode::kStrict));
  const std::string* version = json.FindString("version");
  const std::string* stamp = json.FindString("stamp");
  const std::string* base = json.FindString("baseRef");
  const Json* local = json.Find("localChanges");
  const Json* bytes = json.Find("bytes");
  if (version == nullptr || *version != "writ.checkout.v1" || stamp == nullptr || base == nullptr || local == nullptr ||
      !local->is_bool() || bytes == nullptr || !bytes->is_number() || bytes->number() < 0 || bytes->number() > 1e18)
    return Fail(Code::kCorrupt, "the record of a checkout is not one");
  return Record{*stamp, *base, local->boolean(), static_cast<std::uint64_t>(bytes->number())};
}

}  // namespace

Result<std::unique_ptr<CheckoutCache>> CheckoutCache::Open(const std::string& directory, CheckoutOptions options) {
  WRIT_TRY("checkout cache", sys::MakeDirectories(directory, 0700));
  const std::unique_ptr<char, void (*)(void*)> real(::realpath(directory.c_str(), nullptr), ::free);
  if (!real) return FailErrno(directory);
  auto fd = WRIT_TRY("checkout cache", sys::OpenDirectory(real.get()));
  const auto meta = WRIT_TRY("checkout cache", sys::MetaOf(fd.get()));
  if ((meta.mode & 022) != 0 || meta.uid != ::geteuid())
    return Fail(Code::kDenied, "checkout cache {}: others may write it; give it an own directory with mode 0700",
                real.get());
  std::unique_ptr<CheckoutCache> cache(new CheckoutCache(real.get(), std::move(fd), std::move(options)));
  WRIT_TRY("checkout cache", cache->Sweep());
  return cache;
}

Result<std::shared_ptr<const Checkout>> CheckoutCache::Get(const contract::WorkspaceManifest& manifest,
                                                           workspace::BlobSource& blobs, isolation::Backend& backend,
                                                           Deadline deadline) {
  WRIT_TRY("workspace", CheckManifest(manifest));
  const std::string key = CheckoutKey(manifest);
  {
    std::unique_lock lock(mutex_);
    while (making_.contains(key)) {
      const auto when = deadline.never() ? std::chrono::steady_clock::now() + std::chrono::hours{1} : deadline.when();
      if (made_.wait_until(lock, when) == std::cv_status::timeout && making_.contains(key) && deadline.Passed())
        return Fail(Code::kDeadline, "another run is still checking out this workspace");
    }
    making_.insert(key);
  }
  const auto get = [&]() -> Result<std::shared_ptr<const Checkout>> {
    if (auto found = Find(key); found || found.error().code != Code::kNotFound) return found;
    WRIT_TRY("workspace", Make(key, manifest, blobs, backend, deadline));
    auto made = Find(key);
    if (made) WRIT_TRY("checkout cache", Evict());
    return made;
  };
  auto checkout = get();
  {
    const std::lock_guard lock(mutex_);
    making_.erase(key);
  }
  made_.notify_all();
  return checkout;
}

/// Errors: kNotFound when there is none that can be used; one that was changed is gone then.
Result<std::shared_ptr<const Checkout>> CheckoutCache::Find(const std::string& key) {
  auto checkout = std::make_shared<Checkout>();
  checkout->entry = fmt::format("{}/{}", directory_, key);
  checkout->path = fmt::format("{}/{}", checkout->entry, kCheckoutTree);
  checkout->lock = WRIT_TRY("find", sys::OpenBeneath(fd_, key, O_RDONLY | O_DIRECTORY));
  const bool locked = WRIT_TRY("find", Lock(checkout->lock, LOCK_SH));
  // Whoever holds the lock for itself is removing the entry.
  if (!locked || !SameDirectory(fd_, key, checkout->lock))
    return Fail(Code::kNotFound, "the checkout is being removed");
  const auto usable = [&]() -> Result<Record> {
    Record record = WRIT_TRY("checkout", ReadRecord(checkout->lock));
    checkout->tree = WRIT_TRY("checkout", sys::OpenBeneath(checkout->lock, kCheckoutTree, O_RDONLY | O_DIRECTORY));
    const std::string stamp = WRIT_TRY("checkout", StampOf(checkout->tree, options_.git.entries_max * 2));
    if (stamp != record.stamp) return Fail(Code::kCorrupt, "the checkout was changed");
    return record;
  };
  const auto record = usable();
  if (!record) {
    checkout->lock.Reset();
    WRIT_TRY("throw away a checkout that was changed", Discard(key));
    return Fail(Code::kNotFound, "the checkout was changed");
  }
  checkout->base_ref = record->base_ref;
  checkout->had_local_changes = record->local_changes;
  // The time of the entry is the time of its last use; losing it only makes it older.
  static_cast<void>(::futimens(checkout->lock.get(), nullptr));
  return checkout;
}

Result<> CheckoutCache::Make(const std::string& key, const contract::WorkspaceManifest& manifest,
                             workspace::BlobSource& blobs, isolation::Backend& backend, Deadline deadline) {
  const auto place = WRIT_TRY("checkout cache", sys::TemporaryDirectory::Create(directory_, kMaking));
  [[maybe_unused]] const bool locked = WRIT_TRY("checkout cache", Lock(place.fd(), LOCK_SH));
  const MadeCheckout made =
      WRIT_TRY("check out", MakeCheckout(manifest, blobs, place, options_.git, backend, deadline));
  Record record;
  record.base_ref = manifest.base_ref;
  record.local_changes = manifest.dirty_diff_hash.has_value() || !manifest.untracked_files.empty();
  record.bytes = made.bytes + made.entries * kEntryOverhead;
  const auto tree = WRIT_TRY("check out", sys::OpenBeneath(place.fd(), kCheckoutTree, O_RDONLY | O_DIRECTORY));
  record.stamp = WRIT_TRY("check out", StampOf(tree, options_.git.entries_max * 2));
  WRIT_TRY("check out", sys::WriteFileAtomic(fmt::format("{}/{}", place.path(), kRecord),
                                             canon::Compact(ToJson(record)), 0600, sys::Durability::kQuick));
  const std::string name = place.path().substr(directory_.size() + 1);
  if (::renameat(fd_.get(), name.c_str(), fd_.get(), key.c_str()) != 0 && errno != EEXIST && errno != ENOTEMPTY)
    return FailErrno("keep the checkout");  // another process may have been faster
  return {};
}

/// Takes an entry out of sight and removes it, unless somebody uses it: then a later Sweep does.
Result<> CheckoutCache::Discard(const std::string& key) {
  auto opened = sys::OpenBeneath(fd_, key, O_RDONLY | O_DIRECTORY);
  if (!opened) return {};
  std::string gone = fmt::format(
      "{}{}-{}", kGone, key.substr(0, 16),
      crypto::Sha256Hex(fmt::format("{}{}", ::getpid(), std::chrono::steady_clock::now().time_since_epoch().count()))
          .substr(0, 16));
  if (::renameat(fd_.get(), key.c_str(), fd_.get(), gone.c_str()) != 0)
    return errno == ENOENT ? Result<>{} : FailErrno("take a checkout out of the cache");
  const bool free = WRIT_TRY("remove a checkout", Lock(*opened, LOCK_EX));
  return free ? sys::RemoveTree(fd_, gone) : Result<>{};
}

/// Removes what crashed processes left.
Result<> CheckoutCache::Sweep() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  const auto names = WRIT_TRY("list", sys::ListNames(fd_, kEntriesMax));
  for (const std::string& name : names) {
    if (!name.starts_with(kMaking) && !name.starts_with(kGone)) continue;
    const auto directory = sys::OpenBeneath(fd_, name, O_RDONLY | O_DIRECTORY);
    if (!directory) continue;  // gone meanwhile
    const auto meta = WRIT_TRY("look", sys::MetaOf(directory->get()));
    if (name.starts_with(kMaking) && now.tv_sec * 1'000'000'000ll - meta.mtime_ns < kAbandonedNs) continue;
    const bool free = WRIT_TRY("sweep", Lock(*directory, LOCK_EX));
    if (free) WRIT_TRY("sweep", sys::RemoveTree(fd_, name));
  }
  return {};
}

/// Removes the entries used longest ago until the rest fits.
Result<> CheckoutCache::Evict() {
  struct Entry {
    std::string name;
    std::int64_t used_ns;
    std::uint64_t bytes;
  };
  std::vector<Entry> entries;
  std::uint64_t bytes = 0;
  const auto names = WRIT_TRY("list", sys::ListNames(fd_, kEntriesMax));
  for (const std::string& name : names) {
    if (!crypto::IsHash(name)) continue;
    const auto directory = sys::OpenBeneath(fd_, name, O_RDONLY | O_DIRECTORY);
    if (!directory) continue;
    const auto meta = WRIT_TRY("look", sys::MetaOf(directory->get()));
    const auto record = ReadRecord(*directory);
    entries.push_back({name, meta.mtime_ns, record ? record->bytes : 0});
    bytes += entries.back().bytes;
  }
  std::ranges::sort(entries, {}, &Entry::used_ns);
  for (const Entry& entry : entries) {
    if (bytes <= options_.bytes_max) break;
    {
      const auto directory = sys::OpenBeneath(fd_, entry.name, O_RDONLY | O_DIRECTORY);
      if (!directory) continue;
      const bool free = WRIT_TRY("evict", Lock(*directory, LOCK_EX));
      if (!free) continue;  // in use
      const std::string gone = fmt::format("{}{}", kGone, entry.name);
      if (::renameat(fd_.get(), entry.name.c_str(), fd_.get(), gone.c_str()) != 0) {
        if (errno == ENOENT || errno == ENOTEMPTY || errno == EEXIST) continue;
        return FailErrno("evict a checkout");
      }
      WRIT_TRY("evict", sys::RemoveTree(fd_, gone));
    }
    bytes -= entry.bytes;
  }
  return {};
}

}  // namespace writ::session
