#include "contract/receipt.h"

#include <algorithm>

#include "contract/evidence_text.h"
#include "contract/hash.h"
#include "contract/names.h"

namespace writ::contract {

using canon::Json;

namespace {

Json Copy(const Json& object, std::initializer_list<std::string_view> names) {
  Json copy = Json::MakeObject();
  for (const std::string_view name : names) {
    if (const Json* member = object.Find(name)) copy.Set(name, *member);
  }
  return copy;
}

}  // namespace

void ReceiptFacts::AddPlain(std::string_view ts, std::string_view hash) {
  ended_at_ = ts;
  if (count_ == 0) started_at_ = ended_at_;
  head_ = hash;
  ++count_;
}

void ReceiptFacts::Add(const Json& entry) {
  AddPlain(TextOf(entry, "ts"), TextOf(entry, "hash"));
  const Json* event = entry.Find("event");
  if (event == nullptr) return;
  const std::string_view type = TextOf(*event, "type");
  if (type == "secret.released") {
    secrets_.push_back(Copy(*event, {"name", "scope"}).Set("ts", ended_at_));
  } else if (type == "network.connected") {
    AddNetwork(std::string(TextOf(*event, "host")), std::string(TextOf(*event, "decision")));
  } else if (type == "boundary.crossed") {
    boundaries_.push_back(Copy(*event, {"direction", "contentHash", "dataClass"}));
  } else if (type == "model.called") {
    models_.push_back(Copy(*event, {"provider", "model"}));
  }
}

void ReceiptFacts::AddNetwork(const std::string& host, const std::string& decision) {
  const auto [found, fresh] = network_index_.try_emplace(host, network_.size());
  if (fresh) network_.push_back({host, {}});
  auto& decisions = network_[found->second].decisions;
  if (std::ranges::find(decisions, decision) == decisions.end()) decisions.push_back(decision);
}

Json MakeReceipt(const ReceiptDraft& draft, const ReceiptFacts& facts) {
  Json runner = Json::Of({{"runnerId", draft.runner_id}, {"keyId", draft.runner_key_id}, {"pool", draft.pool}, {"attestationTier", "mock"}});
  if (draft.isolation) runner.Set("isolation", *draft.isolation);
  Json::Array network;
  for (const ReceiptFacts::Network& host : facts.network()) {
    for (const std::string& decision : host.decisions) {
      network.push_back(Json::Of({{"host", host.host}, {"decision", decision}}));
    }
  }
  Json json = Json::Of({
      {"version", kReceiptVersion},
      {"runId", draft.run_id},
      {"contractHash", draft.contract_hash},
      {"runner", std::move(runner)},
      {"startedAt", facts.started_at()},
      {"endedAt", facts.ended_at()},
      {"status", draft.status},
      {"eventsHead", facts.head()},
      {"eventCount", facts.count()},
      {"workspaceIn", Json::Of({{"baseRef", draft.base_ref}, {"manifestHash", draft.manifest_hash}})},
      {"workspaceOut", Json::Of({{"diffHash", draft.diff_hash},
                                 {"artifactHashes", Json::Array(draft.artifact_hashes.begin(), draft.artifact_hashes.end())}})},
      {"secretsReleased", Json::Array(facts.secrets_released())},
      {"networkAccessed", std::move(network)},
      {"modelsUsed", Json::Array(facts.models())},
      {"boundaryDisclosures", Json::Array(facts.boundaries())},
  });
  if (!draft.writ.is_null()) json.Set("writ", draft.writ);
  return json;
}

Result<ReceiptDraft> DraftFor(const Json& contract) {
  ReceiptDraft draft;
  const std::string* run_id = contract.FindString("runId");
  const Json* workspace = contract.Find("workspace");
  const Json* runner = contract.Find("runner");
  const std::string* base_ref = workspace == nullptr ? nullptr : workspace->FindString("baseRef");
  const std::string* pool = runner == nullptr ? nullptr : runner->FindString("pool");
  if (run_id == nullptr || base_ref == nullptr || pool == nullptr) {
    return Fail(Code::kInvalid, "the contract lacks runId, runner.pool or workspace.baseRef");
  }
  draft.run_id = *run_id;
  draft.base_ref = *base_ref;
  draft.pool = *pool;
  const std::string* isolation = contract.FindString("isolation");
  draft.isolation = isolation == nullptr ? "process" : *isolation;
  draft.manifest_hash = WRIT_TRY("hash workspace", HashCanonical(*workspace));
  draft.contract_hash = WRIT_TRY("hash contract", HashUnsigned(contract));
  return draft;
}

}  // namespace writ::contract
