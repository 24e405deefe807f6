#include "client/pull.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/escape.h"
#include "client/git_records.h"
#include "client/user_git.h"
#include "sys/file.h"
#include "workspace/danger.h"

namespace writ::client {
namespace {

using workspace::EntryType;
using workspace::FileState;

constexpr std::size_t kRunIdPrefix = 4;  ///< "run_"
constexpr std::size_t kBranchCharacters = 12;
constexpr std::size_t kListBytesMax = 64u << 20;
constexpr std::size_t kLinksMax = 100'000;  ///< links whose targets are looked at
constexpr std::string_view kLinkMode = "120000", kRepositoryMode = "160000", kProgramMode = "100755";

std::vector<std::pair<std::string, std::string>> Identity() {
  return {{"GIT_AUTHOR_NAME", "warrant"},
          {"GIT_AUTHOR_EMAIL", "warrant@localhost"},
          {"GIT_COMMITTER_NAME", "warrant"},
          {"GIT_COMMITTER_EMAIL", "warrant@localhost"}};
}

Result<> CheckRequest(const PullRequest& request) {
  const std::string_view id = request.run_id;
  const bool plain = id.size() > kRunIdPrefix && id.size() <= 64 && id.starts_with("run_") &&
                     std::ranges::all_of(id.substr(kRunIdPrefix), [](char c) {
                       return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
                     });
  if (!plain || id[kRunIdPrefix] == '-') return Fail(Code::kInvalid, "{} is no run id", EscapeVisible(id, 80));
  if (!IsCommitId(request.base_ref))
    return Fail(Code::kInvalid, "{} is no commit id", EscapeVisible(request.base_ref, 80));
  return {};
}

std::string BranchOf(std::string_view run_id) {
  std::string part(run_id.substr(kRunIdPrefix, kBranchCharacters));
  while (part.ends_with('-')) part.pop_back();
  return fmt::format("warrant/{}", part);
}

/// Contents of the links among the records, by object.
Result<std::map<std::string, std::string>> ReadLinks(const UserGit& git, const std::vector<ChangeRecord>& records,
                                                     Deadline deadline) {
  std::set<std::string> objects;
  for (const ChangeRecord& record : records)
    if (record.mode == kLinkMode) objects.insert(record.object);
  if (objects.size() > kLinksMax) return Fail(Code::kExhausted, "the diff makes more than {} links", kLinksMax);
  if (objects.empty()) return std::map<std::string, std::string>{};
  std::string ask;
  for (const std::string& object : objects) ask += object + "\n";
  const std::string text = WRIT_TRY(
      "read links",
      git.Output({.args = {"cat-file", "--batch"}, .input = ask, .out_bytes_max = kListBytesMax, .env = {}}, deadline));
  auto targets = WRIT_TRY("read links", ReadBatch(text));
  if (targets.size() != objects.size()) return Fail(Code::kCorrupt, "git's answer about links is not complete");
  return targets;
}

std::string DangerOfRecord(const ChangeRecord& record, const std::map<std::string, std::string>& targets) {
  if (record.kind == 'D') return {};
  if (record.mode == kRepositoryMode) return "a repository of its own inside the workspace";
  FileState state;
  state.mode = record.mode == kProgramMode ? 0755 : 0644;
  if (record.mode == kLinkMode) {
    state.type = EntryType::kSymlink;
    state.target = targets.at(record.object);
  }
  return workspace::DangerOf(record.path, state);
}

/// The commit a branch is at; empty when there is no such branch.
Result<std::string> TipOf(const UserGit& git, const std::string& branch, Deadline deadline) {
  const auto answer = WRIT_TRY(
      "branch", git.Run({.args = {"rev-parse", "--verify", "--quiet", "refs/heads/" + branch}, .input = {}, .env = {}},
                        deadline));
  if (answer.code != 0) return std::string();
  std::string tip = answer.out.substr(0, answer.out.find('\n'));
  if (!IsCommitId(tip)) return Fail(Code::kCorrupt, "git's answer about a branch is not understood");
  return tip;
}

/// Whether a commit is an earlier pull of this run: its only parent, author and message.
Result<bool> IsEarlierPull(const UserGit& git, const std::string& commit, const PullRequest& request,
                           Deadline deadline) {
  const std::string text = WRIT_TRY(
      "branch",
      git.Output({.args = {"show", "-s", "--no-show-signature", "--format=%P%x00%an <%ae>%x00%B", commit, "--"},
                  .input = {},
                  .env = {}},
                 deadline));
  std::string_view rest = text;
  while (rest.ends_with('\n')) rest.remove_suffix(1);
  return rest ==
         fmt::format("{}{}warrant <warrant@localhost>{}warrant run {}", request.base_ref, '\0', '\0', request.run_id);
}

Result<> PutOnBranch(const UserGit& git, const PullRequest& request, const PullPlan& plan, Pulled& pulled,
                     Deadline deadline) {
  pulled.how = PullResult::kBranch;
  pulled.branch = BranchOf(request.run_id);
  const std::string tip = WRIT_TRY("branch", TipOf(git, pulled.branch, deadline));
  if (!tip.empty()) {
    const bool ours = WRIT_TRY("branch", IsEarlierPull(git, tip, request, deadline));
    if (!ours)
      return Fail(Code::kDenied, "branch {} holds something else than an earlier pull of this run; rename or delete it",
                  pulled.branch);
    const std::string tree = WRIT_TRY(
        "branch", git.Output({.args = {"rev-parse", "--verify", tip + "^{tree}"}, .input = {}, .env = {}}, deadline));
    if (tree == plan.tree + "\n") {
      pulled.commit = tip;
      return {};
    }
  }
  const std::string made = WRIT_TRY("commit", git.Output({.args = {"commit-tree", plan.tree, "-p", request.base_ref},
                                                          .input = fmt::format("warrant run {}\n", request.run_id),
                                                          .env = Identity()},
                                                         deadline));
  pulled.commit = made.substr(0, made.find('\n'));
  const auto moved = WRIT_TRY(
      "branch",
      git.Run(
          {.args = {"branch", "--no-track", "--force", pulled.branch, pulled.commit}, .input = {}, .env = Identity()},
          deadline));
  if (moved.code != 0)
    return Fail(Code::kDenied, "branch {} cannot be set: {}", pulled.branch, EscapeVisible(moved.err, 500));
  return {};
}

/// Why the diff cannot go into the working tree; empty: it can.
Result<std::string> WhyNotInPlace(const UserGit& git, const Repository& repository, const PullRequest& request,
                                  const PullPlan& plan, Deadline deadline) {
  if (repository.head != request.base_ref) return std::string("HEAD is not the commit the run was based on");
  const std::string status = WRIT_TRY(
      "status",
      git.Output({.args = {"status", "--porcelain", "-z", "--untracked-files=normal", "--ignore-submodules=none"},
                  .input = {},
                  .out_bytes_max = kListBytesMax,
                  .env = {}},
                 deadline));
  if (!status.empty()) return std::string("the working tree has changes of its own");
  if (plan.dangerous() && request.dangerous != Dangerous::kApply)
    return std::string("some changes may be executed by tools that only look at the working tree");
  return std::string();
}

}  // namespace

bool PullPlan::dangerous() const {
  return std::ranges::any_of(changes, [](const PulledChange& change) { return !change.danger.empty(); });
}

std::string_view PullResultName(PullResult result) {
  switch (result) {
    case PullResult::kEmpty:
      return "empty";
    case PullResult::kApplied:
      return "applied";
    case PullResult::kBranch:
      return "branch";
  }
  return "empty";
}

Result<PullPlan> PlanPull(const PullRequest& request, Deadline deadline) {
  WRIT_TRY("pull", CheckRequest(request));
  PullPlan plan;
  if (request.diff.empty()) return plan;
  const Repository repository = WRIT_TRY("pull", FindRepository(request.repository, deadline));
  const UserGit git(repository.top);
  const auto base = WRIT_TRY(
      "pull", git.Run({.args = {"cat-file", "-e", request.base_ref + "^{commit}"}, .input = {}, .env = {}}, deadline));
  if (base.code != 0)
    return Fail(
        Code::kNotFound,
        "pull: {} has no commit {}, which the run was based on; fetch it, or pull in the repository that was captured",
        EscapeVisible(repository.top), request.base_ref);
  // An index of its own, so that neither the user's nor the working tree is touched.
  const auto place = WRIT_TRY("pull", sys::TemporaryDirectory::Create("/tmp", "writ-pull-"));
  const std::vector<std::pair<std::string, std::string>> index = {{"GIT_INDEX_FILE", place.path() + "/index"}};
  WRIT_TRY("pull", git.Output({.args = {"read-tree", request.base_ref}, .input = {}, .env = index}, deadline));
  const auto applied = WRIT_TRY("pull", git.Run({.args = {"apply", "--cached", "--binary", "--whitespace=nowarn", "-"},
                                                 .input = request.diff,
                                                 .env = index},
                                                deadline));
  if (applied.code != 0)
    return Fail(Code::kCorrupt, "pull: the run's diff does not apply to the commit it was made from: {}",
                EscapeVisible(applied.err, 500));
  const std::string tree = WRIT_TRY("pull", git.Output({.args = {"write-tree"}, .input = {}, .env = index}, deadline));
  plan.tree = tree.substr(0, tree.find('\n'));
  if (!IsCommitId(plan.tree)) return Fail(Code::kCorrupt, "pull: git's answer is not understood");
  const std::string raw =
      WRIT_TRY("pull", git.Output({.args = {"diff-tree", "-r", "-z", "--no-renames", "--no-ext-diff",
                                            request.base_ref + "^{tree}", plan.tree, "--"},
                                   .input = {},
                                   .out_bytes_max = kListBytesMax,
                                   .env = {}},
                                  deadline));
  const auto records = WRIT_TRY("pull", ReadChangeRecords(raw));
  const auto targets = WRIT_TRY("pull", ReadLinks(git, records, deadline));
  for (const ChangeRecord& record : records)
    plan.changes.push_back({record.kind, record.path, DangerOfRecord(record, targets)});
  return plan;
}

Result<Pulled> Pull(const PullRequest& request, Deadline deadline) {
  PullPlan plan = WRIT_TRY("pull", PlanPull(request, deadline));
  Pulled pulled;
  if (request.diff.empty()) return pulled;
  const Repository repository = WRIT_TRY("pull", FindRepository(request.repository, deadline));
  const UserGit git(repository.top);
  pulled.why = WRIT_TRY("pull", WhyNotInPlace(git, repository, request, plan, deadline));
  if (!pulled.why.empty()) {
    WRIT_TRY("pull", PutOnBranch(git, request, plan, pulled, deadline));
  } else {
    // git looks at everything before it writes anything, and does not write through links.
    const auto applied = WRIT_TRY(
        "pull", git.Run({.args = {"apply", "--binary", "--whitespace=nowarn", "-"}, .input = request.diff, .env = {}},
                        deadline));
    if (applied.code != 0)
      return Fail(Code::kUnavailable, "pull: the working tree changed meanwhile, or cannot be written: {}",
                  EscapeVisible(applied.err, 500));
    pulled.how = PullResult::kApplied;
  }
  pulled.changes = std::move(plan.changes);
  return pulled;
}

}  // namespace writ::client
