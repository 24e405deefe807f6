#include "api/run_files.h"

#include "api/recover_runs.h"
#include "api/run_evidence.h"
#include "api/run_queries.h"
#include "session/blob_intake.h"
#include "session/change_record.h"
#include "session/output_record.h"
#include "storage/blob_store.h"
#include "sys/file.h"
#include "sys/tree.h"
#include "workspace/apply.h"
#include "workspace/release.h"

namespace writ::api {
namespace {

using canon::Json;

/// Blobs younger than this may belong to a run that has not named them yet.
constexpr std::chrono::hours kBlobRest{1};

std::vector<std::string> Lines(const std::vector<workspace::Skipped>& skipped) {
  std::vector<std::string> lines;
  for (const auto& entry : skipped) lines.push_back(entry.path + ": " + entry.reason);
  return lines;
}

/// The outputs a receipt lists, by name and digest.
Result<> CheckAgainstReceipt(const Json& bundle, const std::vector<workspace::CollectedOutput>& outputs) {
  const Json* writ = bundle.Find("receipt")->Find("writ");
  const Json* stated = writ == nullptr ? nullptr : writ->Find("outputs");
  for (const auto& output : outputs) {
    bool known = false;
    if (stated != nullptr && stated->is_array()) {
      for (const auto& entry : stated->array()) {
        const auto* name = entry.FindString("name");
        const auto* hash = entry.FindString("sha256");
        known = known || (name != nullptr && hash != nullptr && *name == output.name && *hash == output.sha256);
      }
    }
    if (!known) return Fail(Code::kCorrupt, "stored output {} is not the one the receipt lists", output.name);
  }
  return {};
}

}  // namespace

Result<ApplyResult> ApplyRun(LocalState& state, const ApplyRequest& request) {
  const std::string id = WRIT_TRY("apply", state.store().ResolveRun(request.run));
  const Json bundle = WRIT_TRY("apply", VerifiedBundle(state, id));
  ApplyResult result;
  const Json facts = FactsIn(bundle, "writ.changes.recorded");
  const auto* hash = facts.FindString("sha256");
  if (hash == nullptr) {
    result.applied = !request.dry_run;  // there is nothing to do
    return result;
  }
  const Json record = WRIT_TRY("apply", ReadRecord(state, id, "changes", *hash));
  const auto changes = WRIT_TRY("apply", session::DecodeChanges(record));

  std::string directory = request.directory;
  if (directory.empty()) {
    const storage::Run run = WRIT_TRY("apply", state.store().GetRun(id));
    directory = DecodeSummary(run.summary).workspace;
  }
  if (directory.empty()) return Fail(Code::kInvalid, "run {} had no workspace; name the directory to change", id);
  const auto root = WRIT_TRY("apply", sys::OpenDirectory(directory));
  session::BlobOutlet outlet(state.blobs());
  const auto report = WRIT_TRY(
      "apply", workspace::Apply(changes, root, outlet,
                                {.dry_run = request.dry_run,
                                 .force = request.force,
                                 .flagged = request.flagged ? workspace::Flagged::kApply
                                                            : workspace::Flagged::kHoldBack}));
  result.paths = report.applied;
  result.conflicts = Lines(report.conflicts);
  result.held_back = Lines(report.held_back);
  result.warnings = Lines(report.warnings);
  result.stopped = report.stopped;
  result.applied = !request.dry_run && report.stopped.empty() && (request.force || report.conflicts.empty());
  return result;
}

Result<std::vector<OutputFact>> CopyOutputs(LocalState& state, std::string_view run, std::string_view name,
                                            const std::string& directory) {
  const std::string id = WRIT_TRY("outputs", state.store().ResolveRun(run));
  const Json bundle = WRIT_TRY("outputs", VerifiedBundle(state, id));
  std::string record_hash;
  for (const auto& artifact : WRIT_TRY("outputs", RunArtifacts(state, id)))
    if (artifact.kind == "outputs") record_hash = artifact.sha256;
  std::vector<OutputFact> facts;
  if (record_hash.empty()) {
    if (name.empty()) return facts;
    return Fail(Code::kNotFound, "run {} released no output {}", id, name);
  }
  const Json record = WRIT_TRY("outputs", ReadRecord(state, id, "outputs", record_hash));
  const auto outputs = WRIT_TRY("outputs", session::DecodeOutputs(record));
  WRIT_TRY("outputs", CheckAgainstReceipt(bundle, outputs));
  WRIT_TRY("outputs", sys::MakeDirectories(directory, 0755));
  const auto fd = WRIT_TRY("outputs", sys::OpenDirectory(directory));
  session::BlobOutlet outlet(state.blobs());
  WRIT_TRY("outputs", workspace::Release(outputs, outlet, fd, name));
  for (const auto& output : outputs)
    if (name.empty() || output.name == name)
      facts.push_back({output.name, output.sha256, output.bytes, directory + "/" + output.name});
  return facts;
}

Result<GcResult> CollectGarbage(LocalState& state, const GcRequest& request) {
  const WallTime now = state.clock().Now();
  GcResult result;
  result.runs = WRIT_TRY("gc", state.store().GcCandidates(now - request.older_than, request.keep_last));
  if (request.dry_run) return result;
  for (const auto& id : result.runs) {
    const auto transaction = WRIT_TRY("gc", state.store().Begin());
    WRIT_TRY("gc", transaction->DeleteRun(id));
    WRIT_TRY("gc", transaction->Commit(storage::Durability::kBuffered));
  }
  const auto collected = WRIT_TRY("gc", storage::CollectBlobs(state.store(), state.blobs(), now - kBlobRest));
  result.blobs = collected.blobs;
  result.bytes = collected.bytes;
  WRIT_TRY("gc", SweepLeftovers(state));
  return result;
}

}  // namespace writ::api
