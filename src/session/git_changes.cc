#include "session/git_changes.h"

#include <algorithm>

#include "crypto/digest.h"
#include "workspace/content.h"
#include "workspace/danger.h"
#include "workspace/walk.h"

namespace writ::session {
namespace {

using workspace::EntryType;
using workspace::FileState;

constexpr std::string_view kRepository = ".git";
constexpr std::size_t kRepositoryFindingsMax = 1000;

bool InRepository(std::string_view path) {
  return path == kRepository || (path.starts_with(kRepository) && path[kRepository.size()] == '/');
}

class Stager final : public workspace::TreeVisitor {
 public:
  Stager(bool complete, const sys::UniqueFd& into, TreeWriter::Limits limits) : writer_(into, limits) {
    changes_.whole = complete;
  }

  Result<bool> OnEntry(const std::string& path, sys::TreeEntry& entry) override {
    if (InRepository(path)) return LookAtRepository(path, entry);
    if (path.ends_with("/.git")) {
      // git would start itself in there, with the configuration that the run wrote.
      if (entry.meta.type != sys::FileType::kWhiteout)
        changes_.skipped.push_back({path, "a repository of its own inside the workspace"});
      return false;
    }
    switch (entry.meta.type) {
      case sys::FileType::kDirectory:
        if (entry.opaque) Gone(path);
        WRIT_TRY("stage", writer_.Directory(path));
        return true;
      case sys::FileType::kWhiteout:
        Gone(path);
        return true;
      case sys::FileType::kRegular: {
        Gone(path);
        const auto read = workspace::ReadExactly(entry.fd.get(), entry.meta.bytes);
        auto hash = WRIT_TRY("stage", writer_.File(path, read, (entry.meta.mode & 0100) != 0));
        changes_.files[path] = {std::move(hash), DangerIn(path, entry)};
        return true;
      }
      case sys::FileType::kSymlink:
        Gone(path);
        WRIT_TRY("stage", writer_.Link(path, entry.link_target));
        changes_.files[path] = {crypto::Sha256Hex(entry.link_target), DangerIn(path, entry)};
        return true;
      default:
        Gone(path);
        changes_.skipped.push_back({path, workspace::SpecialFileName(entry)});
        return true;
    }
  }
  Result<> OnUnreadable(const std::string& path, const Error& error) override {
    if (InRepository(path)) return {};
    return std::unexpected(error);
  }
  Result<> OnTooLong(const std::string& parent) override {
    if (!InRepository(parent)) changes_.skipped.push_back({parent, "holds a path longer than 4095 bytes"});
    return {};
  }

  GitChanges Finish() && { return std::move(changes_); }

 private:
  void Gone(const std::string& path) {
    if (!changes_.whole) changes_.gone.insert(path);
  }

  static std::string DangerIn(const std::string& path, const sys::TreeEntry& entry) {
    FileState state;
    state.type = entry.meta.type == sys::FileType::kSymlink ? EntryType::kSymlink : EntryType::kFile;
    state.mode = entry.meta.mode;
    state.target = entry.link_target;
    return workspace::DangerOf(path, state);
  }

  /// In a whole tree the repository is there as it was; only an upper layer tells what the run wrote.
  Result<bool> LookAtRepository(const std::string& path, const sys::TreeEntry& entry) {
    auto& found = changes_.repository;
    if (found.size() >= kRepositoryFindingsMax) return false;
    if (path == kRepository && entry.meta.type != sys::FileType::kDirectory) {
      found.push_back({path, entry.meta.type == sys::FileType::kWhiteout ? "the run removed the repository"
                                                                         : "the run replaced the repository"});
      return false;
    }
    if (changes_.whole) return false;
    if (entry.opaque) found.push_back({path, "the run replaced this directory"});
    if (entry.meta.type == sys::FileType::kDirectory) return path != ".git/objects";
    if (entry.meta.type == sys::FileType::kWhiteout) return true;
    if (std::string danger = DangerIn(path, entry); !danger.empty()) found.push_back({path, std::move(danger)});
    return true;
  }

  TreeWriter writer_;
  GitChanges changes_;
};

}  // namespace

bool GitChanges::IsGone(std::string_view path) const {
  if (whole) return true;
  for (std::size_t end = path.find('/'); end != path.npos; end = path.find('/', end + 1))
    if (gone.contains(path.substr(0, end))) return true;
  return gone.contains(path);
}

Result<GitChanges> StageChanges(const isolation::GuestTree& tree, const sys::UniqueFd& into,
                                TreeWriter::Limits limits) {
  Stager stager(tree.complete, into, limits);
  WRIT_TRY("look at what the run left",
           workspace::Walk(tree.root, *tree.opener, {.entries_max = limits.entries_max * 2, .path_bytes_max = 4095},
                           stager));
  return std::move(stager).Finish();
}

}  // namespace writ::session
