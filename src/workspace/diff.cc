#include "workspace/diff.h"

#include <fcntl.h>

#include <algorithm>
#include <optional>

#include "base/escape.h"
#include "sys/beneath.h"
#include "workspace/content.h"
#include "workspace/git_binary.h"
#include "workspace/git_text.h"

namespace writ::workspace {
namespace {

constexpr std::string_view kNoObject = "0000000000000000000000000000000000000000";
constexpr std::size_t kLinesMax = 500'000;

/// One side of a file's patch; absent on the other side of an addition or deletion.
struct Side {
  std::string_view mode;  ///< as git writes it
  std::string content;    ///< of a link its target
};

std::string_view GitMode(const FileState& state) {
  if (state.type == EntryType::kSymlink) return "120000";
  return (state.mode & 0100) != 0 ? "100755" : "100644";
}

bool IsBelowGit(std::string_view path) {
  for (std::size_t start = 0; start <= path.size();) {
    const std::size_t end = std::min(path.find('/', start), path.size());
    std::string part(path.substr(start, end - start));
    std::transform(part.begin(), part.end(), part.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
    if (part == ".git") return true;
    start = end + 1;
  }
  return false;
}

class DiffWriter {
 public:
  DiffWriter(const ChangeSet& changes, const sys::UniqueFd& originals, BlobSource& blobs, const DiffLimits& limits,
             const TextSink& out)
      : changes_(changes), originals_(originals), blobs_(blobs), limits_(limits), out_(out) {}

  Result<DiffResult> Run() {
    for (const Change& change : changes_.changes) WRIT_TRY(fmt::format("{:?}", change.path), Write(change));
    if (!changes_.incomplete.empty()) WRIT_TRY("diff", Emit(fmt::format("# not complete: {}\n", changes_.incomplete)));
    return std::move(result_);
  }

 private:
  Result<> Write(const Change& change) {
    if (!change.before && change.kind != ChangeKind::kAdded) return Omit(change, "its original is not known");
    if (IsBelowGit(change.path)) return Omit(change, "git takes no patches below .git");
    if (!IsDirectory(change.before) && !IsDirectory(change.after)) return WriteFile(change);
    // Directories appear and go with the files in them.
    const bool only_directories = (!change.before || IsDirectory(change.before)) &&
                                  (!change.after || IsDirectory(change.after));
    if (!only_directories) return WriteFile(change);
    if (change.kind == ChangeKind::kModified) return Omit(change, "permissions of a directory");
    if (change.kind == ChangeKind::kAdded && !HasChangesBelow(change.path)) return Omit(change, "an empty directory");
    return {};
  }

  bool HasChangesBelow(const std::string& path) const {
    const std::string prefix = path + "/";
    const auto next = std::lower_bound(changes_.changes.begin(), changes_.changes.end(), prefix,
                                       [](const Change& c, const std::string& wanted) { return c.path < wanted; });
    return next != changes_.changes.end() && next->path.starts_with(prefix);
  }

  Result<> WriteFile(const Change& change) {
    std::optional<Side> before, after;
    if (change.before && change.after && change.before->type == EntryType::kFile && !change.after->sha256.empty() &&
        change.after->type == EntryType::kFile && change.after->sha256 == change.before->sha256) {
      // Only the mode changed; nobody kept the content again.
      return Finish(change, WRIT_TRY("format", Format(change.path, Side{GitMode(*change.before), {}},
                                                      Side{GitMode(*change.after), {}})));
    }
    if (change.before && !IsDirectory(change.before)) {
      auto side = Original(change.path, *change.before);
      if (!side) return Omit(change, fmt::format("its original cannot be shown: {}", side.error().what));
      before = *std::move(side);
    }
    if (change.after && !IsDirectory(change.after)) {
      const FileState& state = *change.after;
      if (state.type == EntryType::kFile && state.sha256.empty()) return Omit(change, change.note);
      if (state.bytes > limits_.binary_bytes_max) {
        return Omit(change, fmt::format("{} bytes; the limit is {}", state.bytes, limits_.binary_bytes_max));
      }
      after = Side{GitMode(state), state.target};
      if (state.type == EntryType::kFile) after->content = WRIT_TRY("read", Kept(state));
    }
    std::string patch;
    if (before && after && before->mode.substr(0, 2) != after->mode.substr(0, 2)) {
      // A file that became a link is two patches of one path.
      patch = WRIT_TRY("format", Format(change.path, before, std::nullopt));
      patch += WRIT_TRY("format", Format(change.path, std::nullopt, after));
    } else {
      patch = WRIT_TRY("format", Format(change.path, before, after));
    }
    return Finish(change, patch);
  }

  Result<> Finish(const Change& change, const std::string& patch) {
    if (patch.empty()) return Omit(change, "permissions other than the executable bit");
    if (patch.size() > limits_.diff_bytes_max - std::min(limits_.diff_bytes_max, result_.bytes)) {
      return Omit(change, fmt::format("the diff would be longer than {} bytes", limits_.diff_bytes_max));
    }
    ++result_.files;
    return Emit(patch);
  }

  Result<Side> Original(const std::string& path, const FileState& state) {
    if (state.type == EntryType::kSymlink) return Side{GitMode(state), state.target};
    const sys::UniqueFd fd = WRIT_TRY("open", sys::OpenBeneath(originals_, path, O_RDONLY | O_NONBLOCK));
    return Side{GitMode(state), WRIT_TRY("read", ReadVerified(fd.get(), limits_.binary_bytes_max, state.sha256))};
  }

  Result<std::string> Kept(const FileState& state) {
    const sys::UniqueFd fd = WRIT_TRY("open content", blobs_.Open(state.sha256));
    return ReadVerified(fd.get(), limits_.binary_bytes_max, state.sha256);
  }

  /// The patch of one path; empty when both sides are the same for git.
  Result<std::string> Format(const std::string& path, const std::optional<Side>& before,
                             const std::optional<Side>& after) const {
    const std::string a = QuoteGitPath("a/", path), b = QuoteGitPath("b/", path);
    std::string text = fmt::format("diff --git {} {}\n", a, b);
    const bool same_mode = before && after && before->mode == after->mode;
    if (!before) text += fmt::format("new file mode {}\n", after->mode);
    if (!after) text += fmt::format("deleted file mode {}\n", before->mode);
    if (before && after && !same_mode) text += fmt::format("old mode {}\nnew mode {}\n", before->mode, after->mode);
    const std::string_view old_text = before ? before->content : std::string_view();
    const std::string_view new_text = after ? after->content : std::string_view();
    if (before && after && old_text == new_text) return same_mode ? std::string() : text;
    text += fmt::format("index {}..{}{}\n", before ? GitBlobName(old_text) : kNoObject,
                        after ? GitBlobName(new_text) : kNoObject,
                        same_mode ? fmt::format(" {}", before->mode) : std::string());
    if (AsBinary(old_text) || AsBinary(new_text)) {
      text += WRIT_TRY("binary patch", GitBinaryPatch(old_text, new_text));
      return text;
    }
    if (old_text == new_text) return text;  // an empty file came or went
    // A tab ends a name that holds spaces.
    const std::string_view end = path.find(' ') != path.npos ? "\t" : "";
    text += before ? fmt::format("--- {}{}\n", a, end) : "--- /dev/null\n";
    text += after ? fmt::format("+++ {}{}\n", b, end) : "+++ /dev/null\n";
    text += UnifiedHunks(old_text, new_text);
    return text;
  }

  bool AsBinary(std::string_view content) const {
    return content.size() > limits_.text_bytes_max || IsBinary(content) ||
           static_cast<std::size_t>(std::count(content.begin(), content.end(), '\n')) > kLinesMax;
  }

  Result<> Omit(const Change& change, std::string reason) {
    WRIT_TRY("diff", Emit(fmt::format("# not shown: {}: {}\n", EscapeVisible(change.path), EscapeVisible(reason))));
    result_.omitted.push_back({change.path, std::move(reason)});
    return {};
  }

  Result<> Emit(std::string_view text) {
    WRIT_TRY("write diff", out_(text));
    result_.bytes += text.size();
    return {};
  }

  const ChangeSet& changes_;
  const sys::UniqueFd& originals_;
  BlobSource& blobs_;
  const DiffLimits limits_;
  const TextSink& out_;
  DiffResult result_;
};

}  // namespace

Result<DiffResult> WriteDiff(const ChangeSet& changes, const sys::UniqueFd& originals, BlobSource& blobs,
                             const DiffLimits& limits, const TextSink& out) {
  return DiffWriter(changes, originals, blobs, limits, out).Run();
}

}  // namespace writ::workspace
