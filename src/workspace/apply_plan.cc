#include "workspace/apply_plan.h"

#include <fcntl.h>

#include <unordered_set>

#include "base/bytes.h"
#include "sys/beneath.h"
#include "sys/file.h"
#include "workspace/content.h"

namespace writ::workspace {
namespace {

constexpr std::size_t kNamesMax = 1'000'000;

/// What is at a path now.
struct Current {
  sys::FileMeta meta;
  FileState state;   ///< `sha256` only when the length is one of those that matter
  bool special = false;
};

bool SameContent(const FileState& wanted, const Current& current) {
  if (current.special || wanted.type != current.state.type) return false;
  return wanted.type == EntryType::kDirectory ||
         (wanted.sha256 == current.state.sha256 && wanted.target == current.state.target);
}

class Planner {
 public:
  Planner(const ChangeSet& changes, const sys::UniqueFd& root, const ApplyOptions& options)
      : changes_(changes), root_(root), options_(options) {
    for (const Change& change : changes.changes) {
      if (!change.after) removed_.insert(change.path);
      if (change.after && change.after->type == EntryType::kDirectory) directories_.insert(change.path);
    }
  }

  Result<ApplyPlan> Run() {
    for (const Change& change : changes_.changes) WRIT_TRY(fmt::format("{:?}", change.path), Plan(change));
    return std::move(plan_);
  }

 private:
  void HoldBack(const Change& change, std::string reason) {
    held_back_.insert(change.path);
    plan_.report.held_back.push_back({change.path, std::move(reason)});
  }
  void Conflict(const Change& change, std::string reason) {
    plan_.report.conflicts.push_back({change.path, std::move(reason)});
  }
  void Block(const Change& change, std::string reason) {
    plan_.blocked = true;
    Conflict(change, std::move(reason));
  }

  Result<> Plan(const Change& change) {
    if (!sys::IsPlainRelativePath(change.path)) {
      Block(change, "is not a path inside the workspace");
      return {};
    }
    if (change.after && !change.danger.empty() && options_.flagged == Flagged::kHoldBack) {
      HoldBack(change, change.danger);
      return {};
    }
    if (change.after && change.after->type == EntryType::kFile && change.after->sha256.empty()) {
      HoldBack(change, change.note.empty() ? "its content was not kept" : change.note);
      return {};
    }
    if (IsBelowHeldBack(change.path)) {
      HoldBack(change, "what takes the place of its directory is held back");
      return {};
    }
    auto current = Look(change);
    if (!current) {
      Block(change, current.error().what);
      return {};
    }
    const std::optional<Current>& now = *current;
    if (IsAlreadyDone(change, now)) {
      plan_.report.already.push_back(change.path);
      return {};
    }
    if (std::string reason = Differs(change, now); !reason.empty()) Conflict(change, std::move(reason));
    if (now && now->state.type == EntryType::kDirectory && !now->special &&
        !(change.after && change.after->type == EntryType::kDirectory)) {
      if (std::string stranger = WRIT_TRY("list", Stranger(change.path)); !stranger.empty()) {
        Block(change, fmt::format("the directory holds {:?}, which the run did not know", stranger));
        return {};
      }
    }
    if (change.after) CheckParent(change);
    if (now && now->meta.links > 1 && now->state.type == EntryType::kFile) {
      plan_.report.warnings.push_back(
          {change.path, fmt::format("was one of {} hard links; the others keep the old content", now->meta.links)});
    }
    plan_.steps.push_back({&change, now ? std::optional(now->meta) : std::nullopt});
    return {};
  }

  bool IsBelowHeldBack(const std::string& path) const {
    for (std::size_t slash = path.find('/'); slash != path.npos; slash = path.find('/', slash + 1)) {
      if (held_back_.contains(path.substr(0, slash))) return true;
    }
    return false;
  }

  Result<std::optional<Current>> Look(const Change& change) {
    auto meta = sys::StatBeneath(root_, change.path);
    if (!meta && meta.error().code == Code::kNotFound) return std::nullopt;
    if (!meta) return std::unexpected(std::move(meta).error());
    Current current{.meta = *meta, .state = {}, .special = false};
    current.state.mode = meta->mode;
    switch (meta->type) {
      case sys::FileType::kDirectory:
        current.state.type = EntryType::kDirectory;
        break;
      case sys::FileType::kSymlink:
        current.state.type = EntryType::kSymlink;
        current.state.target = WRIT_TRY("look", sys::ReadLinkBeneath(root_, change.path));
        break;
      case sys::FileType::kRegular: {
        const auto matters = [&](const std::optional<FileState>& state) {
          return state && state->type == EntryType::kFile && state->bytes == meta->bytes;
        };
        current.state.sha256 = "-";
        if (!matters(change.before) && !matters(change.after)) break;
        const sys::UniqueFd fd = WRIT_TRY("look", sys::OpenBeneath(root_, change.path, O_RDONLY | O_NONBLOCK));
        current.state.sha256 = HexEncode(WRIT_TRY("hash", hasher_.Hash(fd.get(), meta->bytes)));
        break;
      }
      default:
        current.special = true;
        break;
    }
    return current;
  }

  static bool IsAlreadyDone(const Change& change, const std::optional<Current>& now) {
    if (!change.after) return !now;
    if (!now || !SameContent(*change.after, *now)) return false;
    // A directory that should be new is welcome as it is; a mode counts where it is what changed.
    if (change.after->type == EntryType::kDirectory && change.kind == ChangeKind::kAdded) return true;
    return change.after->type == EntryType::kSymlink || (change.after->mode & 0777) == (now->state.mode & 0777);
  }

  /// Why the path no longer is what the change was made from; empty when it is.
  static std::string Differs(const Change& change, const std::optional<Current>& now) {
    if (!change.before) {
      if (!now) return {};
      return change.kind == ChangeKind::kAdded ? "exists already" : "its original is not known";
    }
    if (!now) return "is gone";
    if (now->special) return "is a special file";
    if (change.before->type != now->state.type) {
      return fmt::format("is a {} instead of a {}", EntryTypeName(now->state.type), EntryTypeName(change.before->type));
    }
    return SameContent(*change.before, *now) ? "" : "was changed since the run started";
  }

  /// A name in a directory that has to go, but which the changes do not remove.
  Result<std::string> Stranger(const std::string& path) {
    const sys::UniqueFd fd = WRIT_TRY("open", sys::OpenBeneath(root_, path, O_RDONLY | O_DIRECTORY));
    for (const std::string& name : WRIT_TRY("list", sys::ListNames(fd, kNamesMax))) {
      if (!removed_.contains(fmt::format("{}/{}", path, name))) return name;
    }
    return std::string();
  }

  void CheckParent(const Change& change) {
    const std::size_t slash = change.path.rfind('/');
    if (slash == change.path.npos) return;
    const std::string parent = change.path.substr(0, slash);
    if (directories_.contains(parent)) return;
    const auto meta = sys::StatBeneath(root_, parent);
    if (meta && meta->type == sys::FileType::kDirectory) return;
    if (!meta && meta.error().code == Code::kNotFound) {
      Conflict(change, "its directory is gone");
    } else {
      Block(change, "its directory is no directory any more");
    }
  }

  const ChangeSet& changes_;
  const sys::UniqueFd& root_;
  const ApplyOptions& options_;
  std::unordered_set<std::string> removed_, directories_, held_back_;
  ContentHasher hasher_;
  ApplyPlan plan_;
};

}  // namespace

bool ApplyStep::KeepsContent() const {
  const Change& c = *change;
  return now && c.before && c.after && c.after->type == EntryType::kFile && now->type == sys::FileType::kRegular &&
         c.before->type == EntryType::kFile && c.before->sha256 == c.after->sha256;
}

Result<ApplyPlan> PlanApply(const ChangeSet& changes, const sys::UniqueFd& root, const ApplyOptions& options) {
  return Planner(changes, root, options).Run();
}

}  // namespace writ::workspace
