#include "client/capture.h"

#include <fcntl.h>

#include <algorithm>
#include <set>

#include "base/escape.h"
#include "base/utf8.h"
#include "client/bundle_cache.h"
#include "client/git_records.h"
#include "client/user_git.h"
#include "crypto/digest.h"
#include "sys/beneath.h"
#include "sys/file.h"
#include "workspace/content.h"
#include "workspace/patterns.h"
#include "workspace/warrant_manifest.h"

namespace writ::client {
namespace {

using workspace::PatternList;

constexpr std::size_t kUntrackedMax = 100'000;     ///< of a manifest, files and denied paths each
constexpr std::size_t kNamesBytesMax = 256u << 20;  ///< of a list of names from git
constexpr std::size_t kNamedMax = 10;              ///< paths named in an error

struct Listed {
  std::vector<std::string> tracked, untracked;
};

Result<Listed> ListFiles(const UserGit& git, Deadline deadline) {
  const std::string text =
      WRIT_TRY("list files", git.Output({.args = {"ls-files", "-z", "-t", "--cached", "--others", "--exclude-standard"},
                                         .input = {},
                                         .out_bytes_max = kNamesBytesMax,
                                         .env = {}},
                                        deadline));
  auto entries = WRIT_TRY("list files", SplitNul(text));
  Listed listed;
  for (std::string& entry : entries) {
    if (entry.size() < 3 || entry[1] != ' ') return Fail(Code::kCorrupt, "git's list of files is not understood");
    (entry[0] == '?' ? listed.untracked : listed.tracked).push_back(entry.substr(2));
  }
  return listed;
}

/// Every path that any commit of the history added, and those of the index.
Result<std::set<std::string>> DeniedInHistory(const UserGit& git, const PatternList& deny, Deadline deadline) {
  const std::string text =
      WRIT_TRY("look through the history",
               git.Output({.args = {"log", "-z", "-m", "--root", "--no-renames", "--no-ext-diff", "--no-textconv",
                                    "--diff-filter=A", "--name-only", "--format=", "HEAD", "--"},
                           .input = {},
                           .out_bytes_max = kNamesBytesMax,
                           .env = {}},
                          deadline));
  std::set<std::string> denied;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\0', at), text.size());
    std::string_view path = std::string_view(text).substr(at, end - at);
    while (path.starts_with('\n')) path.remove_prefix(1);  // between commits
    if (!path.empty() && deny.Matches(path)) denied.emplace(path);
    at = end + 1;
  }
  return denied;
}

Error TrackedDenied(const std::set<std::string>& denied) {
  std::string names;
  std::size_t count = 0;
  for (const std::string& path : denied) {
    if (++count > kNamedMax) break;
    names += fmt::format("{}{}", names.empty() ? "" : ", ", EscapeVisible(path));
  }
  if (denied.size() > kNamedMax) names += fmt::format(" and {} more", denied.size() - kNamedMax);
  return {
      Code::kDenied,
      fmt::format("the repository has committed files that must not leave this machine: {}. The bundle holds the full "
                  "history, so removing them in a new commit is not enough: rewrite the history without them (git "
                  "filter-repo --invert-paths --path NAME), or allow tracked files to match deny patterns",
                  names)};
}

/// Why an untracked path cannot travel; empty: it can.
std::string Unfit(const std::string& path) {
  if (path.ends_with('/')) return "a repository of its own";
  if (!workspace::CheckWorkspacePath(path) || !IsUtf8(path)) return "its name cannot be in a manifest";
  return {};
}

class Untracked {
 public:
  Untracked(const sys::UniqueFd& top, const PatternList& deny, const PatternList& allow, const CaptureRequest& request,
            Captured& captured)
      : top_(top), deny_(deny), allow_(allow), request_(request), captured_(captured) {}

  Result<> Take(const std::string& path) {
    auto& manifest = captured_.manifest;
    const std::string unfit = Unfit(path);
    if (deny_.Matches(path)) {
      if (!unfit.empty()) return {};  // it stays here, and no manifest can say so
      if (manifest.denied_paths.size() == kUntrackedMax)
        return Fail(Code::kExhausted, "more than {} denied untracked files", kUntrackedMax);
      manifest.denied_paths.push_back(path);
      return {};
    }
    if (!allow_.Matches(path)) return {};
    if (!unfit.empty()) return Skip(path, unfit);
    // Through no link, in no other file system.
    const auto file = sys::OpenBeneath(top_, path, O_RDONLY | O_NONBLOCK);
    if (!file) return Skip(path, file.error().code == Code::kInvalid ? "a link is not followed" : file.error().what);
    const auto meta = WRIT_TRY(EscapeVisible(path), sys::MetaOf(file->get()));
    if (meta.type != sys::FileType::kRegular) return Skip(path, "no regular file");
    if (meta.bytes > request_.blob_bytes_max)
      return Fail(Code::kExhausted, "untracked file {} has {} bytes; a plane takes {} at most", EscapeVisible(path),
                  meta.bytes, request_.blob_bytes_max);
    if (manifest.untracked_files.size() == kUntrackedMax)
      return Fail(Code::kExhausted, "more than {} untracked files", kUntrackedMax);
    std::string hash = HexEncode(WRIT_TRY(EscapeVisible(path), hasher_.Hash(file->get(), meta.bytes)));
    captured_.uploads.push_back({hash, fmt::format("{}/{}", captured_.repository, path), {}});
    manifest.untracked_files.push_back({path, std::move(hash), meta.bytes});
    return {};
  }

 private:
  Result<> Skip(const std::string& path, std::string why) {
    captured_.skipped.push_back({path, std::move(why)});
    return {};
  }
  const sys::UniqueFd& top_;
  const PatternList& deny_;
  const PatternList& allow_;
  const CaptureRequest& request_;
  Captured& captured_;
  workspace::ContentHasher hasher_;
};

}  // namespace

Result<Captured> Capture(const CaptureRequest& request, Deadline deadline) {
  const Repository repository = WRIT_TRY("workspace", FindRepository(request.repository, deadline));
  if (repository.shallow)
    return Fail(Code::kUnavailable,
                "capture: {} is a shallow clone, which cannot be bundled; git fetch --unshallow completes it",
                EscapeVisible(repository.top));
  const UserGit git(repository.top);
  std::vector<std::string> deny_texts = workspace::DefaultDenyPatterns();
  deny_texts.insert(deny_texts.end(), request.deny.begin(), request.deny.end());
  const auto deny = WRIT_TRY("deny patterns", PatternList::Compile(deny_texts));
  const auto allow = WRIT_TRY("patterns of untracked files", PatternList::Compile(request.allow_untracked));

  Captured captured;
  captured.repository = repository.top;
  captured.manifest.base_ref = repository.head;
  captured.manifest.denied_patterns = deny_texts;
  const auto listed = WRIT_TRY("capture", ListFiles(git, deadline));
  for (const std::string& path : listed.tracked)
    if (deny.Matches(path)) captured.tracked_denied.push_back(path);
  std::ranges::sort(captured.tracked_denied);
  captured.tracked_denied.erase(std::ranges::unique(captured.tracked_denied).begin(), captured.tracked_denied.end());
  if (request.deny_tracked == DenyTracked::kRefuse) {
    auto denied = WRIT_TRY("capture", DeniedInHistory(git, deny, deadline));
    denied.insert(captured.tracked_denied.begin(), captured.tracked_denied.end());
    if (!denied.empty()) return std::unexpected(TrackedDenied(denied).Doing("capture"));
  }

  const Bundle bundle = WRIT_TRY("capture", BundleOfHead(repository, request.bundles, request.blob_bytes_max,
                                                         request.bundles_bytes_max, deadline));
  captured.manifest.bundle_hash = bundle.sha256;
  captured.bundle_reused = bundle.reused;
  captured.uploads.push_back({bundle.sha256, bundle.path, {}});

  std::string dirty =
      WRIT_TRY("capture", git.Output({.args = {"diff", "--binary", "--no-ext-diff", "--no-textconv", "--no-color",
                                               "--ignore-submodules=dirty", repository.head, "--"},
                                      .input = {},
                                      .out_bytes_max = request.blob_bytes_max,
                                      .env = {}},
                                     deadline));
  if (!dirty.empty()) {
    captured.manifest.dirty_diff_hash = crypto::Sha256Hex(dirty);
    captured.uploads.push_back({*captured.manifest.dirty_diff_hash, {}, std::move(dirty)});
  }
  const auto top = WRIT_TRY("capture", sys::OpenDirectory(repository.top));
  Untracked untracked(top, deny, allow, request, captured);
  for (const std::string& path : listed.untracked) {
    if (deadline.Passed()) return Fail(Code::kDeadline, "capture: took too long");
    WRIT_TRY("capture", untracked.Take(path));
  }
  return captured;
}

}  // namespace writ::client
