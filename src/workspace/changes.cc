#include "workspace/changes.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "base/bytes.h"
#include "workspace/content.h"
#include "workspace/danger.h"
#include "workspace/walk.h"

namespace writ::workspace {
namespace {

bool SameState(const FileState& a, const FileState& b) {
  return a.type == b.type && a.mode == b.mode && a.bytes == b.bytes && a.sha256 == b.sha256 && a.target == b.target;
}

bool ContainsPath(const std::vector<Skipped>& sorted, std::string_view path) {
  const auto found = std::lower_bound(sorted.begin(), sorted.end(), path,
                                      [](const Skipped& s, std::string_view wanted) { return s.path < wanted; });
  return found != sorted.end() && found->path == path;
}

class ChangeVisitor final : public TreeVisitor {
 public:
  ChangeVisitor(const Manifest& before, bool complete, const ChangeOptions& options, BlobSink& sink)
      : before_(before), complete_(complete), options_(options), sink_(sink), seen_(before.entries.size(), 0) {}

  Result<bool> OnEntry(const std::string& path, sys::TreeEntry& entry) override {
    const sys::FileType type = entry.meta.type;
    const Entry* original = before_.Find(path);
    if (type == sys::FileType::kWhiteout && !complete_) {
      cleared_.insert(path);
      if (original == nullptr && ContainsPath(before_.skipped, path)) {
        WRIT_TRY("list", Add({path, ChangeKind::kDeleted, {}, {}, {}, "was no part of the manifest"}));
      }
      return false;
    }
    if (type == sys::FileType::kWhiteout || type == sys::FileType::kOther) {
      std::string what = SpecialFileName(entry);
      if (original != nullptr) notes_[path] = fmt::format("a {} took its place", what);
      cleared_.insert(path);
      set_.skipped.push_back({path, std::move(what)});
      return false;
    }
    Change change{.path = path, .kind = ChangeKind::kAdded, .before = {}, .after = {}, .danger = {}, .note = {}};
    if (original != nullptr) {
      seen_[static_cast<std::size_t>(original - before_.entries.data())] = 1;
      change.kind = ChangeKind::kModified;
      change.before = original->state;
    } else if (std::binary_search(before_.denied.begin(), before_.denied.end(), path)) {
      change.note = "the run did not see the original";
    } else if (ContainsPath(before_.skipped, path)) {
      change.note = "the original was no part of the manifest";
    }
    FileState state;
    state.mode = entry.meta.mode;
    state.links = type == sys::FileType::kDirectory ? 1 : entry.meta.links;
    if (type == sys::FileType::kDirectory) {
      state.type = EntryType::kDirectory;
      if (entry.opaque) cleared_.insert(path);
    } else {
      if (original != nullptr && original->state.type == EntryType::kDirectory) cleared_.insert(path);
      WRIT_TRY("read", ReadContent(entry, change, state));
    }
    if (original != nullptr && SameState(original->state, state)) return true;
    change.danger = DangerOf(path, state);
    change.after = std::move(state);
    WRIT_TRY("list", Add(std::move(change)));
    return true;
  }

  Result<> OnUnreadable(const std::string& path, const Error& error) override {
    if (error.code == Code::kExhausted) return Failed(error);
    set_.skipped.push_back({path, error.what});
    unknown_.insert(path);
    return {};
  }

  Result<> OnTooLong(const std::string& parent) override {
    set_.incomplete = fmt::format("paths longer than 4095 bytes, in {:?}...", std::string_view(parent).substr(0, 80));
    return {};
  }

  /// After the walk: what is not there any more.
  Result<> AddDeletions() {
    for (std::size_t i = 0; i < before_.entries.size(); ++i) {
      const Entry& entry = before_.entries[i];
      if (seen_[i] != 0 || IsAtOrBelow(unknown_, entry.path)) continue;
      if (!complete_ && !IsAtOrBelow(cleared_, entry.path)) continue;
      const auto note = notes_.find(entry.path);
      WRIT_TRY("list", Add({entry.path, ChangeKind::kDeleted, entry.state, {}, {},
                            note == notes_.end() ? std::string() : note->second}));
    }
    return {};
  }

  ChangeSet Finish() && {
    std::sort(set_.changes.begin(), set_.changes.end(),
              [](const Change& a, const Change& b) { return a.path < b.path; });
    std::sort(set_.skipped.begin(), set_.skipped.end(),
              [](const Skipped& a, const Skipped& b) { return a.path < b.path; });
    return std::move(set_);
  }

  ChangeSet& set() { return set_; }
  /// A failure that is not a bound of the comparison.
  const std::optional<Error>& failure() const { return failure_; }

 private:
  std::unexpected<Error> Failed(Error error) {
    failure_ = error;
    return std::unexpected(std::move(error));
  }

  Result<> Add(Change change) {
    if (set_.changes.size() >= options_.changes_max) {
      return Fail(Code::kExhausted, "more than {} changes", options_.changes_max);
    }
    set_.changes.push_back(std::move(change));
    return {};
  }

  static bool IsAtOrBelow(const std::unordered_set<std::string>& paths, const std::string& path) {
    if (paths.empty()) return false;
    if (paths.contains(path)) return true;
    for (std::size_t slash = path.find('/'); slash != path.npos; slash = path.find('/', slash + 1)) {
      if (paths.contains(path.substr(0, slash))) return true;
    }
    return false;
  }

  Result<> ReadContent(sys::TreeEntry& entry, Change& change, FileState& state) {
    if (entry.meta.type == sys::FileType::kSymlink) {
      state.type = EntryType::kSymlink;
      state.target = std::move(entry.link_target);
      state.bytes = state.target.size();
      return {};
    }
    state.bytes = entry.meta.bytes;
    const int fd = entry.fd.get();
    // A file of its old length was often only touched: its hash decides whether there is anything to keep.
    if (change.before && change.before->type == EntryType::kFile && change.before->bytes == state.bytes) {
      auto hash = hasher_.Hash(fd, state.bytes);
      if (!hash) return Failed(std::move(hash).error());
      state.sha256 = HexEncode(*hash);
      if (state.sha256 == change.before->sha256) return {};
      state.sha256.clear();
    }
    if (state.bytes > options_.file_bytes_max || state.bytes > options_.bytes_max - kept_bytes_) {
      change.note = fmt::format("{} bytes: too large to keep", state.bytes);
      return {};
    }
    kept_bytes_ += state.bytes;
    auto kept = sink_.Put(ReadExactly(fd, state.bytes));
    if (!kept) return Failed(std::move(kept).error());
    state.sha256 = std::move(kept->sha256);
    state.bytes = kept->bytes;
    return {};
  }

  const Manifest& before_;
  const bool complete_;
  const ChangeOptions& options_;
  BlobSink& sink_;
  ContentHasher hasher_;
  std::vector<char> seen_;  // per entry of the manifest
  std::unordered_set<std::string> cleared_;  // nothing of the original is left at or below, but what is seen
  std::unordered_set<std::string> unknown_;  // could not be looked into
  std::unordered_map<std::string, std::string> notes_;
  std::uint64_t kept_bytes_ = 0;
  ChangeSet set_;
  std::optional<Error> failure_;
};

}  // namespace

std::string_view ChangeKindName(ChangeKind kind) {
  switch (kind) {
    case ChangeKind::kAdded: return "added";
    case ChangeKind::kModified: return "modified";
    case ChangeKind::kDeleted: return "deleted";
  }
  return "added";
}

Result<ChangeSet> FindChanges(const Manifest& before, const sys::UniqueFd& tree, sys::TreeOpener& opener,
                              bool complete, const ChangeOptions& options, BlobSink& sink) {
  ChangeVisitor visitor(before, complete, options, sink);
  auto walked = Walk(tree, opener, {.entries_max = options.entries_max, .path_bytes_max = 4095}, visitor);
  // Without the whole tree nobody can say what is missing from it.
  if (walked) walked = visitor.AddDeletions();
  if (!walked) {
    if (visitor.failure() || walked.error().code != Code::kExhausted) {
      return std::unexpected(std::move(walked).error().Doing("look for changes"));
    }
    visitor.set().incomplete = std::move(walked).error().what;
  }
  return std::move(visitor).Finish();
}

}  // namespace writ::workspace
