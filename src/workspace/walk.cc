#include "workspace/walk.h"

#include <utility>
#include <vector>

namespace writ::workspace {
namespace {

/// Directories deeper than this many levels above the current one are closed and opened again on the way back.
constexpr std::size_t kOpenLevels = 64;

struct Level {
  sys::UniqueFd fd{};  ///< closed while far above the current level; the root's is borrowed
  std::string name;
  std::uint64_t device = 0, inode = 0;
  std::vector<std::string> names;
  std::size_t next = 0;
  std::size_t path_bytes = 0;  ///< length of this directory's path
};

class Walker {
 public:
  Walker(const sys::UniqueFd& root, sys::TreeOpener& opener, const WalkLimits& limits, TreeVisitor& visitor)
      : root_(root), opener_(opener), limits_(limits), visitor_(visitor) {}

  Result<> Run() {
    levels_.emplace_back();
    levels_.back().names = WRIT_TRY("list the root of the tree", sys::ListNames(root_, limits_.entries_max));
    while (!levels_.empty()) {
      Level& top = levels_.back();
      if (top.next == top.names.size()) {
        levels_.pop_back();
        continue;
      }
      if (++entries_ > limits_.entries_max) return TooMany();
      const std::string name = std::move(top.names[top.next++]);
      WRIT_TRY("walk", Visit(name));
    }
    return {};
  }

 private:
  std::unexpected<Error> TooMany() const { return Fail(Code::kExhausted, "more than {} entries", limits_.entries_max); }

  Result<> Visit(const std::string& name) {
    path_.resize(levels_.back().path_bytes);
    if (path_.size() + 1 + name.size() > limits_.path_bytes_max) return visitor_.OnTooLong(path_);
    if (!path_.empty()) path_ += '/';
    path_ += name;
    if (levels_.size() > 1 && !levels_.back().fd.valid()) WRIT_TRY("return to a directory", Reopen());
    const sys::UniqueFd& directory = Directory(levels_.size() - 1);
    const auto looked = opener_.Look(directory, name);
    if (looked && looked->type != sys::FileType::kDirectory && visitor_.OnLook(path_, *looked)) return {};
    auto entry = opener_.Open(directory, name);
    if (!entry) return visitor_.OnUnreadable(path_, entry.error());
    const bool enter = WRIT_TRY(fmt::format("{:?}", path_), visitor_.OnEntry(path_, *entry));
    if (!enter || entry->meta.type != sys::FileType::kDirectory) return {};
    return Enter(name, std::move(*entry));
  }

  Result<> Enter(const std::string& name, sys::TreeEntry entry) {
    auto names = sys::ListNames(entry.fd, limits_.entries_max);
    if (!names && names.error().code == Code::kExhausted) return TooMany();
    if (!names) return visitor_.OnUnreadable(path_, names.error());
    levels_.push_back(Level{std::move(entry.fd), name, entry.meta.device, entry.meta.inode, std::move(*names), 0,
                            path_.size()});
    if (levels_.size() > kOpenLevels) levels_[levels_.size() - 1 - kOpenLevels].fd.Reset();
    return {};
  }

  const sys::UniqueFd& Directory(std::size_t level) const { return level == 0 ? root_ : levels_[level].fd; }

  /// Opens the way down from the root again, and keeps the last levels open.
  Result<> Reopen() {
    for (std::size_t level = 1; level < levels_.size(); ++level) {
      Level& at = levels_[level];
      auto entry = WRIT_TRY(fmt::format("{:?}", at.name), opener_.Open(Directory(level - 1), at.name));
      if (entry.meta.device != at.device || entry.meta.inode != at.inode) {
        return Fail(Code::kUnavailable, "directory {:?} was replaced while the tree was walked", at.name);
      }
      at.fd = std::move(entry.fd);
      if (level > kOpenLevels) levels_[level - kOpenLevels].fd.Reset();
    }
    return {};
  }

  const sys::UniqueFd& root_;
  sys::TreeOpener& opener_;
  const WalkLimits limits_;
  TreeVisitor& visitor_;
  std::vector<Level> levels_;
  std::string path_;
  std::size_t entries_ = 0;
};

}  // namespace

Result<> Walk(const sys::UniqueFd& root, sys::TreeOpener& opener, const WalkLimits& limits, TreeVisitor& visitor) {
  return Walker(root, opener, limits, visitor).Run();
}

}  // namespace writ::workspace
