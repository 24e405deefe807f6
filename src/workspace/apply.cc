#include "workspace/apply.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <unordered_map>

#include "base/bytes.h"
#include "base/ids.h"
#include "crypto/digest.h"
#include "sys/beneath.h"
#include "sys/file.h"
#include "workspace/apply_plan.h"
#include "workspace/content.h"

namespace writ::workspace {
namespace {

/// A directory for new files next to the old ones, so that putting them in place is a rename.
class Staging {
 public:
  static Result<Staging> Create(const sys::UniqueFd& root) {
    std::string name = MakeId(".writ-apply-");
    if (::mkdirat(root.get(), name.c_str(), 0700) != 0) return FailErrno("make a staging directory in the workspace");
    auto fd = sys::OpenBeneath(root, name, O_RDONLY | O_DIRECTORY);
    if (!fd) return std::unexpected(std::move(fd).error());
    return Staging(root, std::move(name), *std::move(fd));
  }
  Staging(Staging&& other) noexcept
      : root_(other.root_), name_(std::exchange(other.name_, {})), fd_(std::move(other.fd_)) {}
  Staging& operator=(Staging&&) = delete;
  ~Staging() {
    // Nobody to tell; the name says whose it is.
    if (!name_.empty()) (void)sys::RemoveTree(root_, name_);
  }
  const sys::UniqueFd& fd() const { return fd_; }

 private:
  Staging(const sys::UniqueFd& root, std::string name, sys::UniqueFd fd)
      : root_(root), name_(std::move(name)), fd_(std::move(fd)) {}
  const sys::UniqueFd& root_;
  std::string name_;
  sys::UniqueFd fd_;
};

bool IsSameEntry(const sys::FileMeta& a, const sys::FileMeta& b) {
  return a.device == b.device && a.inode == b.inode && a.type == b.type &&
         (a.type == sys::FileType::kDirectory ||
          // Replacing another hard link of the file moves its ctime.
          (a.bytes == b.bytes && a.mtime_ns == b.mtime_ns && (a.ctime_ns == b.ctime_ns || a.links > 1)));
}

class Applier {
 public:
  Applier(const sys::UniqueFd& root, BlobSource& blobs, ApplyPlan plan, const ApplyOptions& options)
      : root_(root), blobs_(blobs), plan_(std::move(plan)), options_(options) {}

  Result<ApplyReport> Run() {
    auto staging = WRIT_TRY("apply", Staging::Create(root_));
    for (std::size_t i = 0; i < plan_.steps.size(); ++i) {
      WRIT_TRY(fmt::format("stage {:?}", plan_.steps[i].change->path), Stage(staging.fd(), i));
    }
    if (::syncfs(staging.fd().get()) != 0) return FailErrno("make staged files durable");
    if (auto done = Act(staging.fd()); !done) plan_.report.stopped = std::move(done).error().what;
    if (::syncfs(staging.fd().get()) != 0 && plan_.report.stopped.empty()) {
      plan_.report.stopped = ErrnoError(errno, "make the changes durable").what;
    }
    return std::move(plan_.report);
  }

 private:
  Result<> Stage(const sys::UniqueFd& staging, std::size_t i) {
    const Change& change = *plan_.steps[i].change;
    if (!change.after || IsDirectory(change.after) || plan_.steps[i].KeepsContent()) return {};
    const std::string name = std::to_string(i);
    if (change.after->type == EntryType::kSymlink) {
      if (::symlinkat(change.after->target.c_str(), staging.get(), name.c_str()) != 0) return FailErrno("make link");
      return {};
    }
    const sys::UniqueFd from = WRIT_TRY("open content", blobs_.Open(change.after->sha256));
    const sys::UniqueFd to = WRIT_TRY("create", sys::OpenBeneath(staging, name, O_WRONLY | O_CREAT | O_EXCL, 0600));
    crypto::Sha256 hash;
    std::vector<std::uint8_t> buffer(kPiece);
    for (std::size_t count = kPiece; count == kPiece;) {
      count = WRIT_TRY("read content", sys::ReadFull(from.get(), buffer));
      hash.Update({buffer.data(), count});
      WRIT_TRY("write", sys::WriteAll(to.get(), ByteView{buffer.data(), count}));
    }
    if (hash.FinishHex() != change.after->sha256) {
      return Fail(Code::kCorrupt, "the kept content does not have the SHA-256 {}", change.after->sha256);
    }
    return {};
  }

  /// Everything from here on changes the workspace. What stands in the way goes first, other deletions go last.
  Result<> Act(const sys::UniqueFd& staging) {
    auto& steps = plan_.steps;
    std::vector<bool> removed_early(steps.size());
    std::unordered_map<std::string, bool> replaced;  // directories that become something else
    for (const ApplyStep& step : steps) {
      if (step.change->after && !IsDirectory(step.change->after) && step.now &&
          step.now->type == sys::FileType::kDirectory) {
        replaced[step.change->path] = true;
      }
    }
    for (std::size_t i = steps.size(); i-- > 0;) {
      const ApplyStep& step = steps[i];
      const bool becomes_directory =
          IsDirectory(step.change->after) && step.now && step.now->type != sys::FileType::kDirectory;
      removed_early[i] = replaced.contains(step.change->path) || becomes_directory ||
                         (!step.change->after && IsBelow(replaced, step.change->path));
      if (removed_early[i]) WRIT_TRY(Doing("clear", step), Remove(step));
    }
    for (const ApplyStep& step : steps) {
      if (IsDirectory(step.change->after)) WRIT_TRY(Doing("make", step), MakeDirectory(step));
    }
    for (std::size_t i = 0; i < steps.size(); ++i) {
      if (!steps[i].change->after || IsDirectory(steps[i].change->after)) continue;
      WRIT_TRY(Doing("write", steps[i]), Place(staging, i, removed_early[i]));
      Done(steps[i]);
    }
    for (std::size_t i = steps.size(); i-- > 0;) {
      if (steps[i].change->after) continue;
      if (!removed_early[i]) WRIT_TRY(Doing("delete", steps[i]), Remove(steps[i]));
      Done(steps[i]);
    }
    // Modes of directories last, because a directory may become read-only.
    for (std::size_t i = steps.size(); i-- > 0;) {
      if (!IsDirectory(steps[i].change->after)) continue;
      WRIT_TRY(Doing("set mode of", steps[i]), SetDirectoryMode(steps[i]));
      Done(steps[i]);
    }
    return {};
  }

  static std::string Doing(std::string_view what, const ApplyStep& step) {
    return fmt::format("{} {:?}", what, step.change->path);
  }
  void Done(const ApplyStep& step) { plan_.report.applied.push_back(step.change->path); }

  static bool IsBelow(const std::unordered_map<std::string, bool>& directories, const std::string& path) {
    for (std::size_t slash = path.find('/'); slash != path.npos; slash = path.find('/', slash + 1)) {
      if (directories.contains(path.substr(0, slash))) return true;
    }
    return false;
  }

  /// The parent of a step's path, after checking that the path still is what it was when planned.
  Result<sys::ParentAndName> Reach(const ApplyStep& step) {
    auto place = WRIT_TRY("reach", sys::OpenParentBeneath(root_, step.change->path));
    auto now = sys::StatBeneath(place.parent, place.name);
    if (!now && now.error().code != Code::kNotFound) return std::unexpected(std::move(now).error());
    if (now.has_value() != step.now.has_value() || (now && !IsSameEntry(*now, *step.now))) {
      return Fail(Code::kUnavailable, "it was changed while the changes were applied");
    }
    return place;
  }

  Result<> Remove(const ApplyStep& step) {
    if (!step.now) return {};
    const auto place = WRIT_TRY("remove", Reach(step));
    const int flags = step.now->type == sys::FileType::kDirectory ? AT_REMOVEDIR : 0;
    if (::unlinkat(place.parent.get(), place.name.c_str(), flags) != 0) return FailErrno("remove");
    return {};
  }

  Result<> MakeDirectory(const ApplyStep& step) {
    if (step.now && step.now->type == sys::FileType::kDirectory) return {};
    WRIT_TRY("parents", MakeParents(step));
    const auto place = WRIT_TRY("reach", sys::OpenParentBeneath(root_, step.change->path));
    if (::mkdirat(place.parent.get(), place.name.c_str(), 0700) != 0) return FailErrno("make directory");
    return TakeOwner(place.parent, place, std::nullopt, step);
  }

  /// Only with `force` a parent can be missing that the changes do not make.
  Result<> MakeParents(const ApplyStep& step) {
    const std::size_t slash = step.change->path.rfind('/');
    if (!options_.force || slash == step.change->path.npos) return {};
    return sys::MakeDirectoriesBeneath(root_, std::string_view(step.change->path).substr(0, slash), 0755);
  }

  Result<> Place(const sys::UniqueFd& staging, std::size_t i, bool removed) {
    const ApplyStep& step = plan_.steps[i];
    const std::string staged = std::to_string(i);
    if (step.KeepsContent()) {
      WRIT_TRY("reach", Reach(step));
      const sys::UniqueFd fd = WRIT_TRY("open", sys::OpenBeneath(root_, step.change->path, O_RDONLY | O_NONBLOCK));
      if (::fchmod(fd.get(), WantedMode(step)) != 0) return FailErrno("set mode");
      return {};
    }
    WRIT_TRY("parents", MakeParents(step));
    ApplyStep expected = step;
    if (removed) expected.now.reset();
    const auto place = WRIT_TRY("check", Reach(expected));
    WRIT_TRY("owner", TakeOwner(place.parent, {sys::UniqueFd(::dup(staging.get())), staged}, step.now, step));
    if (step.change->after->type == EntryType::kFile &&
        ::fchmodat(staging.get(), staged.c_str(), WantedMode(step), 0) != 0) {
      return FailErrno("set mode");
    }
    const unsigned flags = expected.now ? 0 : RENAME_NOREPLACE;
    if (::renameat2(staging.get(), staged.c_str(), place.parent.get(), place.name.c_str(), flags) != 0) {
      return FailErrno("rename");
    }
    return {};
  }

  /// Set-id and sticky bits stay only where the original had them.
  static std::uint32_t WantedMode(const ApplyStep& step) {
    const std::uint32_t kept = step.change->before ? step.change->before->mode & 07000 : 0;
    return step.change->after->mode & (0777 | kept);
  }

  /// A replaced entry keeps its owner. A new one made by root belongs to whom its directory belongs to.
  Result<> TakeOwner(const sys::UniqueFd& parent, const sys::ParentAndName& entry,
                     const std::optional<sys::FileMeta>& original, const ApplyStep& step) {
    const sys::FileMeta model = original ? *original : WRIT_TRY("look at parent", sys::MetaOf(parent.get()));
    if (!original && ::geteuid() != 0) return {};
    const sys::FileMeta now = WRIT_TRY("look", sys::StatBeneath(entry.parent, entry.name));
    if (now.uid == model.uid && now.gid == model.gid) return {};
    if (::fchownat(entry.parent.get(), entry.name.c_str(), model.uid, model.gid, AT_SYMLINK_NOFOLLOW) == 0) return {};
    if (now.uid == model.uid || ::geteuid() != 0) {
      plan_.report.warnings.push_back(
          {step.change->path, fmt::format("belongs to {}:{}; it belonged to {}:{}", now.uid, now.gid, model.uid, model.gid)});
      return {};
    }
    return FailErrno("keep the owner");
  }

  Result<> SetDirectoryMode(const ApplyStep& step) {
    const sys::UniqueFd fd = WRIT_TRY("open", sys::OpenBeneath(root_, step.change->path, O_RDONLY | O_DIRECTORY));
    if (::fchmod(fd.get(), WantedMode(step)) != 0) return FailErrno("set mode");
    return {};
  }

  const sys::UniqueFd& root_;
  BlobSource& blobs_;
  ApplyPlan plan_;
  const ApplyOptions& options_;
};

}  // namespace

Result<ApplyReport> Apply(const ChangeSet& changes, const sys::UniqueFd& root, BlobSource& blobs,
                          const ApplyOptions& options) {
  if (!changes.incomplete.empty() && !options.force) {
    return Fail(Code::kInvalid, "the list of changes is not complete ({}); applying a part needs force",
                changes.incomplete);
  }
  ApplyPlan plan = WRIT_TRY("compare with the workspace", PlanApply(changes, root, options));
  plan.report.refused = plan.blocked || (!plan.report.conflicts.empty() && !options.force);
  if (plan.report.refused) {
    plan.report.warnings.clear();
    return std::move(plan.report);
  }
  if (options.dry_run) {
    for (const ApplyStep& step : plan.steps) plan.report.applied.push_back(step.change->path);
    return std::move(plan.report);
  }
  if (plan.steps.empty()) return std::move(plan.report);
  return Applier(root, blobs, std::move(plan), options).Run();
}

}  // namespace writ::workspace
