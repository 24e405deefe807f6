#include "session/git_collect.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "base/escape.h"
#include "canon/json.h"
#include "contract/event.h"
#include "crypto/digest.h"
#include "session/git_changes.h"
#include "session/tree_writer.h"
#include "sys/beneath.h"
#include "sys/file.h"
#include "workspace/content.h"

namespace writ::session {
namespace {

using Changed = GitDiff::Changed;

/// `/in/gone`: NUL-separated paths to remove first; `/in/tree`: files to put in place. `/in/whole`: nothing else stays.
constexpr char kCollectScript[] = R"(
cd /work || fail 1
if [ -e /in/whole ]; then find . -mindepth 1 -maxdepth 1 ! -name .git -exec rm -rf -- {} + || fail 1; fi
if [ -s /in/gone ]; then xargs -0 rm -rf -- < /in/gone || fail 1; fi
if [ -d /in/tree ]; then cp -RP --preserve=mode -- /in/tree/. /work/ || fail 1; fi
git add -A --ignore-errors .
case $? in
  0) ;;
  1) head -c 65536 /dev/zero > /tmp/full || exit 90 ;;
  *) fail 1 ;;
esac
git diff --cached --name-only -z "$1" -- > /out/names || fail 1
git diff --binary --cached "$1" -- || fail 1
)";

constexpr char kUnchanged[] = "unchanged";  ///< in the checkout's entry: the diff of a run that changed nothing
constexpr std::size_t kNamesBytesMax = 64u << 20;

/// The changes of git's list, with the digests of what is there now.
class Digests {
 public:
  Digests(const Checkout& checkout, const GitChanges& changes) : checkout_(checkout), changes_(changes) {}

  Result<std::string> Of(const std::string& path) {
    if (const auto staged = changes_.files.find(path); staged != changes_.files.end()) return staged->second.sha256;
    if (changes_.IsGone(path)) return std::string(contract::event::kAbsentFile);
    // A file that the run did not touch: part of the local changes.
    const auto there = sys::StatBeneath(checkout_.tree, path);
    if (!there) {
      // Below something that is a link or a file by now, or simply gone.
      if (there.error().code == Code::kNotFound || there.error().code == Code::kInvalid)
        return std::string(contract::event::kAbsentFile);
      return std::unexpected(there.error());
    }
    if (there->type == sys::FileType::kSymlink)
      return crypto::Sha256Hex(WRIT_TRY("read", sys::ReadLinkBeneath(checkout_.tree, path)));
    if (there->type != sys::FileType::kRegular) return std::string(contract::event::kAbsentFile);
    const auto file = WRIT_TRY("read", sys::OpenBeneath(checkout_.tree, path, O_RDONLY));
    return HexEncode(WRIT_TRY("read", hasher_.Hash(file.get(), there->bytes)));
  }

 private:
  const Checkout& checkout_;
  const GitChanges& changes_;
  workspace::ContentHasher hasher_;
};

Result<std::vector<std::string>> SplitNames(std::string_view text, std::size_t names_max) {
  std::vector<std::string> names;
  while (!text.empty()) {
    const std::size_t end = text.find('\0');
    if (end == text.npos || end == 0) return Fail(Code::kCorrupt, "git's list of names is broken");
    if (names.size() == names_max) return Fail(Code::kExhausted, "the run changed more than {} files", names_max);
    names.emplace_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  return names;
}

/// Names that git never takes (`.git` in other letters) and repositories without a commit are left out by it, which is
/// told. Anything else that it could not add would be missing in the diff, so nothing is reported then.
Result<> CheckComplaints(const GitRun& run) {
  for (std::size_t start = 0; start < run.err.size();) {
    const std::size_t end = std::min(run.err.find('\n', start), run.err.size());
    const std::string_view line = std::string_view(run.err).substr(start, end - start);
    start = end + 1;
    const bool name = line.starts_with("error: invalid path '") || line.starts_with("error: unable to add '");
    if (!line.starts_with("error: ") || name || line.ends_with("' does not have a commit checked out")) continue;
    return Fail(Code::kCorrupt, "git could not take all that the run left: {}", EscapeVisible(line, 500));
  }
  return {};
}

Result<std::string> ReadNames(GitRun& run) {
  const auto out = WRIT_TRY("names", run.Tree(isolation::Place::kOut));
  const auto entry = WRIT_TRY("names", out.opener->Open(out.root, "names"));
  if (entry.meta.type != sys::FileType::kRegular || entry.meta.bytes > kNamesBytesMax)
    return Fail(Code::kExhausted, "git's list of names is too long");
  std::string names(entry.meta.bytes, '\0');
  const auto read = workspace::ReadExactly(entry.fd.get(), entry.meta.bytes);
  for (std::size_t at = 0; at < names.size();) {
    const auto rest = std::span(reinterpret_cast<std::uint8_t*>(names.data()) + at, names.size() - at);
    const std::size_t n = WRIT_TRY("names", read(rest));
    if (n == 0) return Fail(Code::kUnavailable, "git's list of names ended early");
    at += n;
  }
  return names;
}

/// Compares in a cell. `inputs` is what StageInputs made; empty: nothing changed.
Result<GitDiff> Compare(const Checkout& checkout, const GitChanges& changes, const std::string& inputs,
                        isolation::Backend& backend, const GitLimits& limits, Deadline deadline) {
  GitJob job;
  job.script = kCollectScript;
  job.args = {checkout.base_ref};
  job.workspace = checkout.path;
  job.inputs = inputs;
  job.stdout_bytes_max = limits.diff_bytes_max;
  auto run = WRIT_TRY("compare", RunGit(std::move(job), limits, backend, deadline));
  if (run.code != 0) return Fail(Code::kCorrupt, "git could not compare what the run left: {}", GitComplaint(run));
  WRIT_TRY("compare", CheckComplaints(run));
  GitDiff result;
  result.ran_git = true;
  result.complaints = GitComplaint(run);
  const std::string text = WRIT_TRY("compare", ReadNames(run));
  auto names = WRIT_TRY("compare", SplitNames(text, limits.changes_max));
  Digests digests(checkout, changes);
  for (std::string& name : names) {
    std::string hash = WRIT_TRY("compare", digests.Of(name));
    result.changed.push_back({std::move(name), std::move(hash)});
  }
  result.diff = std::move(run.out);
  return result;
}

/// A record and the diff after it, the record on a line of its own.
Result<> RememberUnchanged(const Checkout& checkout, const GitDiff& result) {
  canon::Json changed = canon::Json::MakeArray();
  for (const Changed& one : result.changed)
    changed.Append(canon::Json(canon::Json::Array{HexEncode(AsBytes(one.path)), one.sha256}));
  canon::Json record = canon::Json::MakeObject();
  record.Set("version", "writ.unchanged.v1")
      .Set("diffHash", crypto::Sha256Hex(result.diff))
      .Set("changed", std::move(changed));
  record.Set("complaints", result.complaints);
  return sys::WriteFileAtomic(fmt::format("{}/{}", checkout.entry, kUnchanged),
                              canon::Compact(record) + "\n" + result.diff, 0600, sys::Durability::kQuick);
}

/// Errors: anything; the caller compares again then.
Result<GitDiff> RecallUnchanged(const Checkout& checkout, const GitLimits& limits) {
  const std::string text =
      WRIT_TRY("recall", sys::ReadFileBeneath(checkout.lock, kUnchanged, limits.diff_bytes_max + kNamesBytesMax));
  const std::size_t end = text.find('\n');
  if (end == text.npos) return Fail(Code::kCorrupt, "no record");
  const auto record = WRIT_TRY("recall", canon::Parse(std::string_view(text).substr(0, end), canon::Mode::kStrict));
  GitDiff result;
  result.diff = text.substr(end + 1);
  const std::string* version = record.FindString("version");
  const std::string* hash = record.FindString("diffHash");
  const std::string* complaints = record.FindString("complaints");
  const canon::Json* changed = record.Find("changed");
  if (version == nullptr || *version != "writ.unchanged.v1" || hash == nullptr || complaints == nullptr ||
      changed == nullptr || !changed->is_array() || *hash != crypto::Sha256Hex(result.diff))
    return Fail(Code::kCorrupt, "not a record");
  result.complaints = *complaints;
  for (const canon::Json& one : changed->array()) {
    if (!one.is_array() || one.array().size() != 2 || !one.array()[0].is_string() || !one.array()[1].is_string())
      return Fail(Code::kCorrupt, "not a record");
    const auto path = HexDecode(one.array()[0].string());
    if (!path) return Fail(Code::kCorrupt, "not a record");
    result.changed.push_back({*path, one.array()[1].string()});
  }
  return result;
}

Result<GitDiff> DiffOfUnchanged(const Checkout& checkout, isolation::Backend& backend, const GitLimits& limits,
                                Deadline deadline) {
  if (!checkout.had_local_changes) return GitDiff{};
  if (auto known = RecallUnchanged(checkout, limits)) return known;
  auto result = WRIT_TRY("local changes", Compare(checkout, {}, "", backend, limits, deadline));
  // Only saves time: a full disk must not fail the run here.
  static_cast<void>(RememberUnchanged(checkout, result));
  return result;
}

Result<> WriteGone(const sys::UniqueFd& in, const GitChanges& changes) {
  std::string list;
  for (const std::string& path : changes.gone) {
    list += "./" + path;
    list += '\0';
  }
  const auto put = [&](const char* name, std::string_view text) -> Result<> {
    const auto file = WRIT_TRY(name, sys::OpenBeneath(in, name, O_WRONLY | O_CREAT | O_EXCL, 0644));
    if (::fchmod(file.get(), 0644) != 0) return FailErrno(name);
    return sys::WriteAll(file.get(), text);
  };
  WRIT_TRY("inputs", put("gone", list));
  return changes.whole ? put("whole", "") : Result<>{};
}

}  // namespace

Result<GitDiff> CollectGit(const Checkout& checkout, const isolation::GuestTree* tree, isolation::Backend& backend,
                           const GitLimits& limits, Deadline deadline) {
  const auto untouched = [&]() -> Result<bool> {
    if (tree == nullptr) return true;
    if (tree->complete) return false;
    const auto names = WRIT_TRY("look at what the run left", sys::ListNames(tree->root, limits.entries_max));
    return names.empty();
  };
  const bool nothing = WRIT_TRY("collect", untouched());
  if (nothing) return DiffOfUnchanged(checkout, backend, limits, deadline);
  // Beside the entry, in the cache's own directory: swept like what a crash leaves of a checkout.
  const std::string parent = checkout.entry.substr(0, checkout.entry.rfind('/'));
  const auto staging = WRIT_TRY("collect", sys::TemporaryDirectory::Create(parent, "making-"));
  if (::flock(staging.fd().get(), LOCK_SH) != 0) return FailErrno("lock the inputs");
  if (::fchmod(staging.fd().get(), 0755) != 0) return FailErrno("mode of the inputs");
  if (::mkdirat(staging.fd().get(), "tree", 0755) != 0 || ::fchmodat(staging.fd().get(), "tree", 0755, 0) != 0)
    return FailErrno("make the inputs");
  const auto into = WRIT_TRY("collect", sys::OpenBeneath(staging.fd(), "tree", O_RDONLY | O_DIRECTORY));
  auto changes = WRIT_TRY("collect", StageChanges(*tree, into, {limits.entries_max, limits.tree_bytes_max}));
  const auto compare = [&]() -> Result<GitDiff> {
    if (changes.nothing()) return DiffOfUnchanged(checkout, backend, limits, deadline);
    WRIT_TRY("collect", WriteGone(staging.fd(), changes));
    return Compare(checkout, changes, staging.path(), backend, limits, deadline);
  };
  GitDiff result = WRIT_TRY("collect", compare());
  result.flagged = std::move(changes.repository);
  for (const Changed& one : result.changed) {
    const auto staged = changes.files.find(one.path);
    if (staged != changes.files.end() && !staged->second.danger.empty())
      result.flagged.push_back({one.path, staged->second.danger});
  }
  result.skipped = std::move(changes.skipped);
  return result;
}

}  // namespace writ::session
