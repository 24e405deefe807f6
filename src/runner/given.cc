#include "runner/given.h"

#include <fcntl.h>
#include <unistd.h>

#include "contract/event.h"
#include "contract/hash.h"
#include "crypto/digest.h"
#include "runner/given_inputs.h"
#include "session/blob_intake.h"
#include "session/git_collect.h"
#include "session/tree_writer.h"
#include "workspace/warrant_manifest.h"

namespace writ::runner {
namespace {

using canon::Json;

constexpr Millis kCollectPatience{5 * 60'000};
constexpr std::size_t kFlaggedMax = 100;

/// What the diff alone does not tell: what a tool of its user may execute, and what is not in it.
void NameFlagged(session::RunResults& found, const session::GitDiff& diff) {
  const std::size_t all = diff.flagged.size() + diff.skipped.size();
  if (all == 0 && diff.complaints.empty()) return;
  Json paths = Json::MakeArray();
  for (const auto* list : {&diff.flagged, &diff.skipped}) {
    for (const auto& one : *list) {
      if (paths.array().size() == kFlaggedMax) break;
      paths.Append(Json::Of({{"path", workspace::ToWirePath(one.path)}, {"reason", one.reason}}));
    }
  }
  Json facts = Json::Of({{"paths", std::move(paths)}});
  if (all > kFlaggedMax) facts.Set("more", all - kFlaggedMax);
  if (!diff.complaints.empty()) facts.Set("message", diff.complaints);
  found.events.push_back(contract::event::Extension("writ.workspace.flagged", std::move(facts)));
}

bool HasGit(const contract::WorkspaceManifest& manifest) { return manifest.base_ref != contract::kNoBaseRef; }

/// Writes the manifest's files into a new directory, which becomes the workspace.
Result<std::string> StageFiles(const contract::WorkspaceManifest& manifest, const GivenParts& parts, Deadline deadline) {
  const std::string root = parts.folder.path() + "/workspace";
  WRIT_TRY("workspace", sys::MakeDirectories(root, 0755));
  const auto directory = WRIT_TRY("workspace", sys::OpenDirectory(root));
  const session::GitLimits limits;
  session::TreeWriter writer(directory, {limits.entries_max, limits.tree_bytes_max});
  for (const auto& file : manifest.untracked_files) {
    if (deadline.Passed()) return Fail(Code::kDeadline, "the workspace was not complete in time");
    // Only the escaped name was checked so far: the writer takes nothing that leads out of the directory.
    const std::string path = WRIT_TRY("workspace", workspace::FromWirePath(file.path));
    WRIT_TRY(file.path, writer.Parents(path));
    const auto from = WRIT_TRY(file.path, parts.blobs.Open(file.hash));
    const std::string copied = WRIT_TRY(file.path, writer.File(path, session::ReadToEnd(from.get()), false));
    if (copied != file.hash) return Fail(Code::kCorrupt, "blob hash mismatch for {}", file.path);
  }
  return root;
}

/// What the run reads as its standard input.
Result<std::unique_ptr<session::StdinPump>> OpenStdin(const contract::StdinDigest& content, FetchedBlobs& blobs, Given& given) {
  given.stdin_file = WRIT_TRY("fetch", blobs.Open(content.sha256));
  const auto meta = WRIT_TRY("fetch", sys::MetaOf(given.stdin_file.get()));
  if (meta.bytes != content.bytes) return Fail(Code::kCorrupt, "it has {} bytes, not {}", meta.bytes, content.bytes);
  crypto::Sha256 hash;
  std::vector<std::uint8_t> piece(128u << 10);
  const auto read = session::ReadToEnd(given.stdin_file.get());
  for (;;) {
    const std::size_t count = WRIT_TRY("read", read(piece));
    if (count == 0) break;
    hash.Update({piece.data(), count});
  }
  if (hash.FinishHex() != content.sha256) return Fail(Code::kCorrupt, "blob hash mismatch for stdin");
  return session::StdinPump::Start(given.stdin_file.get());
}

}  // namespace

Result<Given> FetchGiven(const contract::Contract& contract, const Job& job, const GivenParts& parts, Deadline deadline) {
  const auto manifest = WRIT_TRY("workspace", contract::DecodeManifest(contract.workspace));
  Given given;
  session::Sources sources;
  if (HasGit(manifest)) {
    given.checkout = WRIT_TRY("workspace", parts.checkouts.Get(manifest, parts.blobs, parts.git, deadline));
  } else if (!manifest.untracked_files.empty() || (job.writ && job.writ->workspace)) {
    sources.workspace = WRIT_TRY("workspace", StageFiles(manifest, parts, deadline));
  }
  if (job.writ) {
    sources.inputs = WRIT_TRY("inputs", FetchInputs(job.writ->inputs, parts.blobs, parts.folder.path(),
                                                    session::GitLimits{}.tree_bytes_max, deadline));
    if (job.writ->stdin_content) given.stdin_pump = WRIT_TRY("stdin", OpenStdin(*job.writ->stdin_content, parts.blobs, given));
  }
  // The copies go into the run's own folder; there is no user's state directory here that could overlap.
  given.materialised = WRIT_TRY("materialise", session::Materialise(sources, {.path = "", .exists = false, .staging = parts.folder.path()},
                                                                    contract.run_id, parts.clock));
  for (std::size_t i = 0; job.writ && i < job.writ->inputs.size(); ++i) {
    if (given.materialised.inputs.at(i).sha256 != job.writ->inputs[i].sha256)
      return Fail(Code::kCorrupt, "blob hash mismatch for input {}", job.writ->inputs[i].name);
  }
  if (given.checkout) {
    given.materialised.workspace_path = given.checkout->path;
    given.materialised.workspace = sys::UniqueFd(::fcntl(given.checkout->tree.get(), F_DUPFD_CLOEXEC, 3));
    if (!given.materialised.workspace.valid()) return FailErrno("open the checkout");
  }
  given.materialised.wire_manifest = contract.workspace;
  given.materialised.manifest_hash = WRIT_TRY("workspace", contract::HashCanonical(contract.workspace));
  return given;
}

session::ResultCollector CollectorFor(const Given& given, const Job& job, isolation::Backend& git, storage::BlobStore& results,
                                      const Clock& clock) {
  if (!given.checkout) return {};
  return [checkout = given.checkout, &job, &git, &results, &clock](isolation::Session* guest,
                                                                   session::GuestOutput& output) -> Result<session::RunResults> {
    const session::StatePlace nowhere;
    const session::Materialised unused;  // of what is collected here nothing is compared with it
    const session::ResultPlaces places{unused, job.outputs, nowhere, results, clock, job.redaction};
    session::RunResults found;
    std::optional<isolation::GuestTree> tree;
    if (guest != nullptr) tree = WRIT_TRY("changes", guest->Tree(isolation::Place::kWorkspace));
    const auto diff =
        WRIT_TRY("changes", session::CollectGit(*checkout, tree ? &*tree : nullptr, git, {}, Deadline::After(kCollectPatience)));
    for (const auto& change : diff.changed)
      found.events.push_back(contract::event::FileChanged(workspace::ToWirePath(change.path), change.sha256));
    NameFlagged(found, diff);
    const std::string text = session::Redact(job.redaction, diff.diff);
    if (!text.empty())
      session::NameDiff(found, WRIT_TRY("diff", results.Put(AsBytes(text), storage::Durability::kBuffered)), text.size());
    WRIT_TRY("log", session::CollectLog(found, output, results, {.streams = job.writ.has_value(), .as_utf8 = !job.writ}));
    if (guest != nullptr && !job.outputs.empty()) WRIT_TRY("outputs", session::CollectOutputs(found, *guest, places));
    WRIT_TRY("results", session::SealResults(found, places));
    return found;
  };
}

}  // namespace writ::runner
