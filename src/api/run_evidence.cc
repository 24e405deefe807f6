#include "api/run_evidence.h"

#include <algorithm>

#include "api/run_queries.h"
#include "contract/bundle.h"
#include "crypto/digest.h"
#include "crypto/ed25519.h"

namespace writ::api {
namespace {

using canon::Json;

constexpr std::size_t kDecisionPage = 512;

Result<Json> StoredJson(std::string_view what, const std::string& text) {
  auto json = canon::Parse(text, canon::Mode::kWire);
  if (!json) return Fail(Code::kCorrupt, "{} in the store is not JSON: {}", what, json.error().what);
  return json;
}

const Json* Inner(const Json& object, std::string_view outer, std::string_view name) {
  const Json* member = object.Find(outer);
  return member == nullptr ? nullptr : member->Find(name);
}

/// Whether the decision log has the entry that a contract says it rests on. Newest first: that is where it usually is.
Result<bool> HasDecision(LocalState& state, const LocalKeys& keys, std::string_view hash) {
  const auto head = WRIT_TRY("decision log", state.store().GetDecisionHead(keys.decision_genesis));
  for (std::uint64_t end = head.count; end > 0;) {
    const std::uint64_t from = end > kDecisionPage ? end - kDecisionPage : 0;
    for (const auto& entry : WRIT_TRY("decision log", state.store().Decisions(from, end - from)))
      if (entry.hash == hash) return true;
    end = from;
  }
  return false;
}

/// What the store holds beside the bundle, against what the bundle says.
Result<> CheckStored(LocalState& state, const LocalKeys& keys, const std::string& run, const Json& bundle,
                     std::vector<std::string>& problems) {
  const auto artifacts = WRIT_TRY("artifacts", RunArtifacts(state, run));
  for (const auto& artifact : artifacts) {
    const auto copied = CopyArtifact(state, artifact, [](ByteView) -> Result<> { return {}; });
    if (!copied) problems.push_back(fmt::format("stored {} {}: {}", artifact.kind, artifact.name, copied.error().what));
  }
  const Json* stated = Inner(*bundle.Find("receipt"), "workspaceOut", "artifactHashes");
  if (stated != nullptr && stated->is_array()) {
    for (const auto& hash : stated->array()) {
      const bool known = std::any_of(artifacts.begin(), artifacts.end(), [&](const auto& artifact) {
        return hash.is_string() && artifact.sha256 == hash.string();
      });
      if (!known && hash.is_string())
        problems.push_back(fmt::format("artifact {} of the receipt is not in the store", hash.string()));
    }
  }
  const Json* decision = Inner(*bundle.Find("contract"), "writ", "decision");
  if (decision != nullptr && decision->is_string()) {
    const auto known = HasDecision(state, keys, decision->string());
    if (!known) {
      problems.push_back(known.error().what);
    } else if (!*known) {
      problems.push_back("the decision that the contract names is not in the decision log");
    }
  }
  return {};
}

}  // namespace

Result<Json> BundleOf(LocalState& state, std::string_view name) {
  const std::string id = WRIT_TRY("bundle", state.store().ResolveRun(name));
  const storage::Run run = WRIT_TRY("bundle", state.store().GetRun(id));
  if (!run.contract || !run.receipt)
    return Fail(Code::kUnavailable, "run {} has no receipt yet; a bundle exists once it has ended", id);
  const LocalKeys* keys = WRIT_TRY("bundle", state.Keys());
  auto contract = WRIT_TRY("bundle", StoredJson("the contract", *run.contract));
  auto receipt = WRIT_TRY("bundle", StoredJson("the receipt", *run.receipt));
  auto events = WRIT_TRY("bundle", RunEvents(state, id));
  return contract::MakeBundle(std::move(contract), std::move(receipt), Json(Json::Array(std::move(events))),
                              keys->plane_pem, keys->runner_pem);
}

Result<VerifyReport> VerifyRun(LocalState& state, std::string_view name) {
  const std::string id = WRIT_TRY("verify", state.store().ResolveRun(name));
  const LocalKeys* keys = WRIT_TRY("verify", state.Keys());
  VerifyReport report;
  report.bundle = WRIT_TRY("verify", BundleOf(state, id));
  contract::Pins pins;
  pins.plane.push_back(contract::Pin::OfKey(keys->plane.public_key()));
  pins.runner.push_back(contract::Pin::OfKey(keys->runner.public_key()));
  auto verification = contract::VerifyBundle(report.bundle, pins);
  report.pinned = verification.pinned;
  report.problems = std::move(verification.problems);
  report.warnings = std::move(verification.warnings);
  const Json* receipt = report.bundle.Find("receipt");
  if (const auto* run_id = receipt->FindString("runId"); run_id == nullptr || *run_id != id)
    report.problems.push_back(fmt::format("the store keeps this evidence under run {}, which it is not about", id));
  WRIT_TRY("verify", CheckStored(state, *keys, id, report.bundle, report.problems));
  report.ok = report.problems.empty();
  return report;
}

Result<Json> VerifiedBundle(LocalState& state, std::string_view name) {
  auto bundle = WRIT_TRY("evidence", BundleOf(state, name));
  const LocalKeys* keys = WRIT_TRY("evidence", state.Keys());
  contract::Pins pins;
  pins.plane.push_back(contract::Pin::OfKey(keys->plane.public_key()));
  const auto verification = contract::VerifyBundle(bundle, pins);
  if (!verification.ok())
    return Fail(Code::kCorrupt, "the evidence of run {} does not verify: {}", name, verification.problems.front());
  return bundle;
}

Json FactsIn(const Json& bundle, std::string_view type) {
  const Json* events = bundle.Find("events");
  if (events == nullptr || !events->is_array()) return nullptr;
  for (const auto& entry : events->array()) {
    const Json* event = entry.Find("event");
    const auto* found = event == nullptr ? nullptr : event->FindString("type");
    if (found == nullptr || *found != type) continue;
    if (const Json* writ = event->Find("writ")) return *writ;
  }
  return nullptr;
}

Result<Json> ReadRecord(LocalState& state, std::string_view run, std::string_view kind, std::string_view sha256) {
  std::string text;
  bool found = false;
  for (const auto& artifact : WRIT_TRY(kind, RunArtifacts(state, run))) {
    if (artifact.kind != kind || artifact.sha256 != sha256) continue;
    found = true;
    const auto append = [&](ByteView bytes) -> Result<> {
      text += AsText(bytes);
      return {};
    };
    WRIT_TRY(kind, CopyArtifact(state, artifact, append));
  }
  if (!found) return Fail(Code::kCorrupt, "the store has not the record of {} that the chain names", kind);
  auto record = canon::Parse(text, canon::Mode::kWire, {.bytes_max = 1u << 30, .depth_max = 64, .values_max = 32u << 20});
  if (!record) return Fail(Code::kCorrupt, "the record of {} is not JSON: {}", kind, record.error().what);
  return record;
}

}  // namespace writ::api
