#include "session/git_checkout.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "base/bytes.h"
#include "crypto/digest.h"
#include "session/tree_writer.h"
#include "sys/beneath.h"
#include "workspace/content.h"
#include "workspace/walk.h"
#include "workspace/warrant_manifest.h"

namespace writ::session {
namespace {

using contract::UntrackedFile;
using contract::WorkspaceManifest;

/// Exit codes name the step that failed.
constexpr int kNotCloned = 81, kNoCommit = 82, kNotApplied = 83;
constexpr char kCheckoutScript[] = R"(
cd /work || fail 1
git clone --quiet --no-checkout --template=/in/template /in/bundle repo || fail 81
cd repo || fail 1
git checkout --quiet "$1" -- || fail 82
[ ! -e /in/dirty.diff ] || git apply --binary --whitespace=nowarn /in/dirty.diff || fail 83
)";

constexpr std::size_t kTemplateEntries = 16;

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

/// Whether a path has a component that git, or a file system that ignores case, takes for a repository's directory.
bool NamesRepository(std::string_view path) {
  for (std::size_t start = 0; start <= path.size();) {
    const std::size_t end = std::min(path.find('/', start), path.size());
    std::string part(path.substr(start, end - start));
    std::ranges::transform(part, part.begin(), Lower);
    if (part == ".git" || part == "git~1") return true;
    start = end + 1;
  }
  return false;
}

/// A workspace path without "." components and a slash at its end.
std::string PlainPath(std::string_view path) {
  std::string plain;
  for (std::size_t start = 0; start <= path.size();) {
    const std::size_t end = std::min(path.find('/', start), path.size());
    const std::string_view part = path.substr(start, end - start);
    if (!part.empty() && part != ".") plain += fmt::format("{}{}", plain.empty() ? "" : "/", part);
    start = end + 1;
  }
  return plain;
}

/// Copies a blob and compares what was copied with its name.
Result<> PutBlob(TreeWriter& writer, workspace::BlobSource& blobs, const std::string& hash, const std::string& path,
                 std::string_view what) {
  const auto from = WRIT_TRY(what, blobs.Open(hash));
  const std::string copied = WRIT_TRY(what, writer.File(path, ReadToEnd(from.get()), false));
  if (copied != hash) return Fail(Code::kCorrupt, "blob hash mismatch for {}", what);
  return {};
}

/// What the cell sees at /in.
Result<> StageInputs(const WorkspaceManifest& manifest, workspace::BlobSource& blobs, const sys::UniqueFd& in,
                     const GitLimits& limits) {
  if (::fchmod(in.get(), 0755) != 0) return FailErrno("mode of the inputs");
  TreeWriter writer(in, {kTemplateEntries, limits.bundle_bytes_max});
  WRIT_TRY("bundle", PutBlob(writer, blobs, manifest.bundle_hash, "bundle", "bundle"));
  if (manifest.dirty_diff_hash)
    WRIT_TRY("dirty diff", PutBlob(writer, blobs, *manifest.dirty_diff_hash, "dirty.diff", "dirty diff"));
  // What a repository is expected to have beside what git makes itself; the host's own templates stay out.
  for (const char* directory : {"template", "template/hooks", "template/info"})
    WRIT_TRY("template", writer.Directory(directory));
  return {};
}

/// Copies a cell's work tree. Modes become 0644 or 0755, times stay: git compares them.
class Intake final : public workspace::TreeVisitor {
 public:
  explicit Intake(TreeWriter& writer) : writer_(writer) {}

  Result<bool> OnEntry(const std::string& path, sys::TreeEntry& entry) override {
    switch (entry.meta.type) {
      case sys::FileType::kDirectory:
        WRIT_TRY("copy", writer_.Directory(path));
        break;
      case sys::FileType::kSymlink:
        WRIT_TRY("copy", writer_.Link(path, entry.link_target));
        break;
      case sys::FileType::kRegular: {
        const auto read = workspace::ReadExactly(entry.fd.get(), entry.meta.bytes);
        [[maybe_unused]] const auto hash =
            WRIT_TRY("copy", writer_.File(path, read, (entry.meta.mode & 0100) != 0, entry.meta.mtime_ns));
        break;
      }
      default:
        return Fail(Code::kCorrupt, "git left a {} at {:?}", workspace::SpecialFileName(entry), path);
    }
    return true;
  }
  Result<> OnUnreadable(const std::string&, const Error& error) override { return std::unexpected(error); }
  Result<> OnTooLong(const std::string& parent) override {
    return Fail(Code::kExhausted, "a path in {:?} is longer than 4095 bytes", parent);
  }

 private:
  TreeWriter& writer_;
};

Result<> RunCheckout(const WorkspaceManifest& manifest, const std::string& inputs, const sys::UniqueFd& tree,
                     TreeWriter& writer, const GitLimits& limits, isolation::Backend& backend, Deadline deadline) {
  GitJob job;
  job.script = kCheckoutScript;
  job.args = {manifest.base_ref};
  job.inputs = inputs;
  auto run = WRIT_TRY("check out", RunGit(std::move(job), limits, backend, deadline));
  switch (run.code) {
    case 0:
      break;
    case kNotCloned:
      return Fail(Code::kCorrupt, "the bundle cannot be cloned: {}", GitComplaint(run));
    case kNoCommit:
      return Fail(Code::kCorrupt, "the bundle has no commit {} to check out: {}", manifest.base_ref, GitComplaint(run));
    case kNotApplied:
      return Fail(Code::kCorrupt, "the dirty diff does not apply: {}", GitComplaint(run));
    default:
      return Fail(Code::kUnavailable, "git ended with {}: {}", run.code, GitComplaint(run));
  }
  const auto left = WRIT_TRY("take the work tree", run.Tree(isolation::Place::kWorkspace));
  const auto repository = WRIT_TRY("take the work tree", left.opener->Open(left.root, "repo"));
  if (repository.meta.type != sys::FileType::kDirectory) return Fail(Code::kCorrupt, "git left no work tree");
  if (::fchmod(tree.get(), 0755) != 0) return FailErrno("mode of the work tree");
  Intake intake(writer);
  return workspace::Walk(repository.fd, *left.opener, {.entries_max = limits.entries_max, .path_bytes_max = 4095},
                         intake);
}

Result<> PutUntracked(const UntrackedFile& file, workspace::BlobSource& blobs, const sys::UniqueFd& tree,
                      TreeWriter& writer) {
  const std::string path = PlainPath(file.path);
  WRIT_TRY(fmt::format("untracked file {:?}", path), writer.Parents(path));
  const auto place = WRIT_TRY(fmt::format("untracked file {:?}", path), sys::OpenParentBeneath(tree, path));
  if (const auto there = sys::StatBeneath(tree, path)) {
    if (there->type != sys::FileType::kRegular)
      return Fail(Code::kInvalid, "untracked file {:?} is something else than a file in the commit", path);
    if (::unlinkat(place.parent.get(), place.name.c_str(), 0) != 0) return FailErrno(fmt::format("replace {:?}", path));
  }
  return PutBlob(writer, blobs, file.hash, path, file.path);
}

}  // namespace

Result<> CheckManifest(const WorkspaceManifest& manifest) {
  const std::string& base = manifest.base_ref;
  const bool hex = std::ranges::all_of(base, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  if (!hex || (base.size() != 40 && base.size() != 64))
    return Fail(Code::kInvalid, "baseRef {:?} is no full commit id", base.substr(0, 100));
  std::set<std::string> paths;
  for (const UntrackedFile& file : manifest.untracked_files) {
    WRIT_TRY("untracked file", workspace::CheckWorkspacePath(file.path));
    const std::string path = PlainPath(file.path);
    if (path.empty() || file.path.ends_with('/'))
      return Fail(Code::kInvalid, "untracked file {:?} is named like a directory", file.path);
    if (NamesRepository(path))
      return Fail(Code::kInvalid, "untracked file {:?} lies in a repository's own directory", file.path);
    if (!paths.insert(path).second) return Fail(Code::kInvalid, "untracked file {:?} is listed twice", file.path);
  }
  return {};
}

std::string CheckoutKey(const WorkspaceManifest& manifest) {
  crypto::Sha256 hash;
  const auto add = [&](std::string_view text) {
    hash.Update(AsBytes(text));
    hash.Update(AsBytes(std::string_view("\0", 1)));
  };
  add("writ.checkout.v1");
  add(manifest.bundle_hash);
  add(manifest.base_ref);
  add(manifest.dirty_diff_hash.value_or("-"));
  for (const UntrackedFile& file : manifest.untracked_files) {
    add(file.path);
    add(file.hash);
  }
  return hash.FinishHex();
}

Result<MadeCheckout> MakeCheckout(const WorkspaceManifest& manifest, workspace::BlobSource& blobs,
                                  const sys::TemporaryDirectory& place, const GitLimits& limits,
                                  isolation::Backend& backend, Deadline deadline) {
  WRIT_TRY("workspace", CheckManifest(manifest));
  for (const char* name : {"in", kCheckoutTree})
    if (::mkdirat(place.fd().get(), name, 0700) != 0) return FailErrno(fmt::format("make directory {}", name));
  const auto in = WRIT_TRY("inputs", sys::OpenDirectory(place.path() + "/in"));
  const auto tree = WRIT_TRY("work tree", sys::OpenDirectory(fmt::format("{}/{}", place.path(), kCheckoutTree)));
  WRIT_TRY("workspace", StageInputs(manifest, blobs, in, limits));
  TreeWriter writer(tree, {limits.entries_max, limits.tree_bytes_max});
  WRIT_TRY("workspace", RunCheckout(manifest, place.path() + "/in", tree, writer, limits, backend, deadline));
  WRIT_TRY("workspace", sys::RemoveTree(place.fd(), "in"));
  for (const UntrackedFile& file : manifest.untracked_files) {
    if (deadline.Passed()) return Fail(Code::kDeadline, "the workspace was not complete in time");
    WRIT_TRY("workspace", PutUntracked(file, blobs, tree, writer));
  }
  return MadeCheckout{writer.bytes(), writer.entries()};
}

}  // namespace writ::session
