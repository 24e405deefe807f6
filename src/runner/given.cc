#include "runner/given.h"

#include <fcntl.h>
#include <unistd.h>

#include "contract/event.h"
#include "contract/hash.h"
#include "session/blob_intake.h"
#include "session/git_collect.h"
#include "sys/beneath.h"
#include "workspace/warrant_manifest.h"

namespace writ::runner {
namespace {

using canon::Json;

constexpr Millis kCollectPatience{5 * 60'000};

bool HasGit(const contract::WorkspaceManifest& manifest) { return manifest.base_ref != contract::kNoBaseRef; }

/// Copies a blob to a new file.
Result<> CopyTo(FetchedBlobs& blobs, const std::string& sha256, const sys::UniqueFd& to) {
  const auto from = WRIT_TRY("fetch", blobs.Open(sha256));
  std::vector<std::uint8_t> buffer(256 << 10);
  for (;;) {
    const std::size_t got = WRIT_TRY("copy", sys::ReadFull(from.get(), buffer));
    WRIT_TRY("copy", sys::WriteAll(to.get(), ByteView(buffer).first(got)));
    if (got < buffer.size()) return {};
  }
}

/// Writes the manifest's files into a new directory, which becomes the workspace.
Result<std::string> StageFiles(const contract::WorkspaceManifest& manifest, const GivenParts& parts) {
  const std::string root = parts.folder.path() + "/workspace";
  WRIT_TRY("workspace", sys::MakeDirectories(root, 0755));
  const auto directory = WRIT_TRY("workspace", sys::OpenDirectory(root));
  for (const auto& file : manifest.untracked_files) {
    const std::string path = WRIT_TRY("workspace", workspace::FromWirePath(file.path));
    const std::size_t slash = path.rfind('/');
    // Nothing in this directory but what these lines made, so no link can lead out of it.
    if (slash != path.npos) WRIT_TRY("workspace", sys::MakeDirectories(root + "/" + path.substr(0, slash), 0755));
    const sys::UniqueFd to(::openat(directory.get(), path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
    if (!to.valid()) return FailErrno("write " + file.path);
    WRIT_TRY(file.path, CopyTo(parts.blobs, file.hash, to));
  }
  return root;
}

}  // namespace

Result<Given> FetchGiven(const contract::Contract& contract, const Job& job, const GivenParts& parts, Deadline deadline) {
  const auto manifest = WRIT_TRY("workspace", contract::DecodeManifest(contract.workspace));
  Given given;
  session::Sources sources;
  if (HasGit(manifest)) {
    given.checkout = WRIT_TRY("workspace", parts.checkouts.Get(manifest, parts.blobs, parts.git, deadline));
  } else if (!manifest.untracked_files.empty() || (job.writ && job.writ->workspace)) {
    sources.workspace = WRIT_TRY("workspace", StageFiles(manifest, parts));
  }
  if (job.writ) {
    for (const auto& input : job.writ->inputs)
      sources.inputs.push_back({WRIT_TRY("input " + input.name, parts.blobs.PathOf(input.sha256)), input.name});
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
