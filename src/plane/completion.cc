#include "plane/completion.h"

#include <algorithm>
#include <set>

#include "contract/bundle.h"
#include "contract/names.h"
#include "contract/signing.h"
#include "crypto/digest.h"
#include "plane/countersign.h"

namespace writ::plane {
namespace {

constexpr std::size_t kArtifactsMax = 100000;  // of one receipt

using canon::Json;
using storage::RunStatus;

/// Nonces are remembered this long after their token's end.
constexpr std::chrono::hours kNonceKept{24};

/// What is wrong with the form of a receipt.
std::vector<std::string> ReceiptIssues(const Json* receipt) {
  if (receipt == nullptr || !receipt->is_object()) return {"receipt: must be an object"};
  std::vector<std::string> issues;
  const auto require = [&](bool holds, std::string_view issue) {
    if (!holds) issues.push_back(fmt::format("receipt.{}", issue));
  };
  for (const auto* name : {"runId", "contractHash", "startedAt", "endedAt", "status", "eventsHead"})
    require(receipt->FindString(name) != nullptr, fmt::format("{}: must be a string", name));
  const std::string* version = receipt->FindString("version");
  require(version != nullptr && *version == contract::kReceiptVersion,
          fmt::format("version: must be {}", contract::kReceiptVersion));
  for (const auto* name : {"runner", "workspaceIn", "workspaceOut"}) {
    const Json* member = receipt->Find(name);
    require(member != nullptr && member->is_object(), fmt::format("{}: must be an object", name));
  }
  for (const auto* name : {"secretsReleased", "networkAccessed", "modelsUsed", "boundaryDisclosures", "signatures"}) {
    const Json* member = receipt->Find(name);
    require(member != nullptr && member->is_array(), fmt::format("{}: must be an array", name));
  }
  const Json* count = receipt->Find("eventCount");
  require(count != nullptr && count->is_number(), "eventCount: must be a number");
  if (const std::string* status = receipt->FindString("status"))
    require(*status == "completed" || *status == "failed" || *status == "cancelled",
            "status: must be completed, failed or cancelled");
  return issues;
}

Answer<std::vector<std::string>> BlobsOf(const Json& receipt) {
  std::vector<std::string> hashes;
  const Json& out = *receipt.Find("workspaceOut");
  const std::string* diff = out.FindString("diffHash");
  if (diff != nullptr && !diff->empty()) hashes.push_back(*diff);
  const Json* artifacts = out.Find("artifactHashes");
  if (artifacts == nullptr || !artifacts->is_array())
    return InvalidRequest({"receipt.workspaceOut.artifactHashes: must be an array"});
  for (const Json& artifact : artifacts->array()) {
    if (!artifact.is_string()) return InvalidRequest({"receipt.workspaceOut.artifactHashes: must be hashes"});
    hashes.push_back(artifact.string());
    if (hashes.size() > kArtifactsMax) return InvalidRequest({"receipt.workspaceOut.artifactHashes: too many"});
  }
  std::set<std::string> seen;
  std::erase_if(hashes, [&](const std::string& hash) { return !seen.insert(hash).second; });
  for (const auto& hash : hashes)
    if (!crypto::IsHash(hash)) return InvalidRequest({"receipt.workspaceOut: must be hashes"});
  return hashes;
}

Answer<> NameBlobs(Core& core, Change& change, const KeptRun& run, const std::vector<std::string>& hashes,
                   std::span<const CarriedBlob> carried) {
  std::vector<std::string> durable = hashes;
  for (const auto& blob : carried) {
    const bool by_receipt = std::ranges::find(hashes, blob.hash) != hashes.end();
    const bool by_chain = std::ranges::any_of(run.artifacts, [&](const auto& artifact) { return artifact.second == blob.hash; });
    if (!by_receipt && !by_chain) continue;
    [[maybe_unused]] const auto stored = WRIT_ANSWER(core.blobs.Put(AsBytes(blob.bytes), storage::Durability::kBuffered));
    if (!by_receipt) durable.push_back(blob.hash);
  }
  std::string missing;
  for (const auto& hash : hashes) {
    if (WRIT_ANSWER(core.blobs.Has(hash))) continue;
    missing += missing.empty() ? "" : ", ";
    missing += hash;
  }
  if (!missing.empty()) return BadRequest(fmt::format("receipt names blobs that are not stored: {}", missing));
  if (!durable.empty()) WRIT_ANSWER(core.blobs.MakeDurable(durable));
  // Everything the chain names and that is there stays as long as the run does.
  const std::set<std::string_view> listed(hashes.begin(), hashes.end());
  std::set<std::pair<std::string, std::string>> named;
  for (const auto& [kind, hash] : run.artifacts) {
    if (!crypto::IsHash(hash) || !named.emplace(kind, hash).second) continue;
    if (!listed.contains(hash) && !WRIT_ANSWER(core.blobs.Has(hash))) continue;
    WRIT_ANSWER(change->AddArtifact(run.id, {.kind = kind, .name = hash, .hash = hash}));
  }
  std::set<std::string_view> kept;
  for (const auto& [kind, hash] : named) kept.insert(hash);
  for (const auto& hash : hashes) {
    if (kept.contains(hash)) continue;
    WRIT_ANSWER(change->AddArtifact(run.id, {.kind = "file", .name = hash, .hash = hash}));
  }
  return {};
}

}  // namespace

Answer<Json> Complete(Core& core, Change& change, std::string_view run_id, const Reporter& reporter,
                      const Json* posted, std::span<const CarriedBlob> carried) {
  if (!WRIT_ANSWER(change->SpendNonce(reporter.token.nonce, reporter.token.expires + kNonceKept)))
    return Conflict("claim token already used for completion");
  KeptRun* run = WRIT_ANSWER(core.chains.Open(change, run_id));
  if (reporter.held == nullptr || storage::IsTerminal(run->status))
    return Conflict(fmt::format("run {} is {}; its receipt is written", run_id, storage::RunStatusName(run->status)));
  if (auto issues = ReceiptIssues(posted); !issues.empty()) return InvalidRequest(std::move(issues));
  const auto runner = WRIT_ANSWER(core.store.FindRunner(reporter.token.runner_id));
  if (!runner) return Unauthorized("claim token runner mismatch");

  Json receipt = *posted;
  auto problems = ReceiptProblems(run->contract, run->contract_hash, receipt, run->facts, runner->public_pem);
  const std::string* named = receipt.Find("runner")->FindString("runnerId");
  if (named == nullptr || *named != run->facts.runner_id)
    problems.emplace_back("receipt runner id does not match the claim");
  if (!problems.empty()) {
    std::string text = "receipt runner verification failed: ";
    for (const auto& problem : problems) text += (&problem == &problems.front() ? "" : "; ") + problem;
    return BadRequest(std::move(text));
  }
  const auto hashes = WRIT_ANSWER(BlobsOf(receipt));
  WRIT_ANSWER(NameBlobs(core, change, *run, hashes, carried));
  session::Reach(core.fault, fault::kReceiptChecked);
  WRIT_ANSWER(contract::AppendSignature(receipt, contract::kSignerPlane, core.keys.plane));
  session::Reach(core.fault, fault::kCountersigned);

  const RunStatus status = *storage::RunStatusFromName(*receipt.FindString("status"));
  WRIT_ANSWER(change->SetReceipt(run_id, canon::Compact(receipt), run->facts.chain.head(), status, change.now()));
  change.OnUndo([&core, id = std::string(run_id)] { core.chains.Forget(id); });
  run->status = status;
  ReleaseRun(core, change, run_id);
  change.AfterCommit([&core, status, id = std::string(run_id)] {
    core.metrics.Add(fmt::format("runs.completed.{}", storage::RunStatusName(status)));
    core.ended(id);
  });
  return receipt;
}

Answer<std::string> BundleText(Core& core, std::string_view run_id) {
  const auto row = core.store.GetRun(run_id);
  if (!row && row.error().code == Code::kNotFound) return Plain(404, "run not found");
  if (!row) return std::unexpected(FromError(row.error()));
  if (!row->contract || !row->receipt) return Plain(404, "bundle not available");
  auto receipt = WRIT_ANSWER(canon::Parse(*row->receipt, canon::Mode::kWire));
  // A run that the keeper ended is signed by the keeper.
  std::string runner_pem = core.keys.keeper_pem;
  const Json* who = receipt.Find("runner");
  const std::string* runner_id = who == nullptr ? nullptr : who->FindString("runnerId");
  if (runner_id != nullptr && *runner_id != kKeeperId) {
    const auto runner = WRIT_ANSWER(core.store.FindRunner(*runner_id));
    if (!runner) return Plain(404, "bundle not available");
    runner_pem = runner->public_pem;
  }
  // Parts are joined as texts: a chain of a million events is not read into values.
  std::string text = fmt::format("{{\"version\":\"{}\",\"contract\":", contract::kBundleVersion);
  text += *row->contract;
  text += ",\"receipt\":";
  text += *row->receipt;
  text += ",\"events\":[";
  const auto events = WRIT_ANSWER(core.store.Events(run_id));
  for (const auto& event : events) {
    if (&event != &events.front()) text += ',';
    text += event;
  }
  text += "],\"keys\":";
  text += canon::Compact(Json::Of({{"planePublicKeyPem", core.keys.plane_pem}, {"runnerPublicKeyPem", runner_pem}}));
  return text += '}';
}

}  // namespace writ::plane
