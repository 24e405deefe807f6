#include "plane/countersign.h"

#include <algorithm>
#include <string>
#include <vector>

#include "contract/hash.h"
#include "contract/names.h"
#include "contract/signing.h"

namespace writ::plane {
namespace {

using canon::Json;

const Json* Inner(const Json& object, std::string_view outer, std::string_view name) {
  const Json* member = object.Find(outer);
  return member == nullptr ? nullptr : member->Find(name);
}

bool Is(const Json* value, std::string_view text) {
  return value != nullptr && value->is_string() && value->string() == text;
}

bool SameText(const Json* a, const Json* b) {
  return a != nullptr && b != nullptr && a->is_string() && b->is_string() && a->string() == b->string();
}

std::string_view TerminalOf(const Json* status) {
  if (Is(status, "completed")) return "run.completed";
  if (Is(status, "failed")) return "run.failed";
  if (Is(status, "cancelled")) return "run.cancelled";
  return "";
}

/// Canonical texts in order, so that two lists can be compared as multisets.
Result<std::vector<std::string>> Sorted(const std::vector<Json>& values) {
  std::vector<std::string> texts;
  texts.reserve(values.size());
  for (const auto& value : values) texts.push_back(WRIT_TRY("compare", canon::Canonical(value)));
  std::sort(texts.begin(), texts.end());
  return texts;
}

/// Collects what does not hold.
class Problems {
 public:
  void Require(bool holds, std::string_view problem) {
    if (!holds) found_.emplace_back(problem);
  }
  std::vector<std::string> Take() { return std::move(found_); }

 private:
  std::vector<std::string> found_;
};

void CheckChainEnd(const Json& receipt, const session::RunFacts& facts, Problems& problems) {
  if (facts.chain.count() == 0) return problems.Require(false, "event chain is empty");
  problems.Require(Is(receipt.Find("eventsHead"), facts.chain.head()),
                   "receipt.eventsHead does not match the last event hash");
  const Json* count = receipt.Find("eventCount");
  problems.Require(count != nullptr && *count == Json(facts.chain.count()),
                   "receipt.eventCount does not match the event chain");
  const std::string_view terminal = TerminalOf(receipt.Find("status"));
  problems.Require(!terminal.empty() && facts.terminal == terminal, "terminal event does not match receipt status");
}

}  // namespace

std::vector<std::string> ReceiptProblems(const Json& contract, std::string_view contract_hash, const Json& receipt,
                                         const session::RunFacts& facts, std::string_view runner_pem) {
  Problems problems;
  problems.Require(SameText(receipt.Find("runId"), contract.Find("runId")),
                   "receipt.runId does not match the contract");
  problems.Require(Is(receipt.Find("contractHash"), contract_hash), "receipt.contractHash does not match the contract");
  const std::string runner_key_id = crypto::KeyIdOfPem(runner_pem);
  problems.Require(Is(Inner(receipt, "runner", "keyId"), runner_key_id) && facts.runner_key_id == runner_key_id,
                   "receipt runner key id does not match the enrolled runner key");
  problems.Require(SameText(Inner(receipt, "runner", "pool"), Inner(contract, "runner", "pool")),
                   "receipt runner pool does not match the contract");
  problems.Require(contract::IsSignedBy(receipt, contract::kSignerRunner, runner_pem),
                   "receipt runner signature invalid");
  CheckChainEnd(receipt, facts, problems);
  problems.Require(SameText(Inner(receipt, "workspaceIn", "baseRef"), Inner(contract, "workspace", "baseRef")),
                   "receipt.workspaceIn.baseRef does not match the contract");
  const Json* workspace = contract.Find("workspace");
  const auto manifest_hash =
      workspace == nullptr ? Fail(Code::kInvalid, "no workspace") : contract::HashCanonical(*workspace);
  problems.Require(manifest_hash && Is(Inner(receipt, "workspaceIn", "manifestHash"), *manifest_hash),
                   "receipt.workspaceIn.manifestHash does not match the contract");
  const Json* stated = receipt.Find("secretsReleased");
  const auto stated_texts =
      stated != nullptr && stated->is_array() ? Sorted(stated->array()) : Fail(Code::kInvalid, "no list");
  const auto released_texts = Sorted(facts.chain.secrets_released());
  problems.Require(stated_texts && released_texts && *stated_texts == *released_texts,
                   "secretsReleased does not match secret.released events");
  const Json* diff = Inner(receipt, "workspaceOut", "diffHash");
  problems.Require(Is(diff, "") || (diff != nullptr && diff->is_string() &&
                                    std::ranges::find(facts.artifact_hashes, diff->string()) !=
                                        facts.artifact_hashes.end()),
                   "workspaceOut.diffHash has no matching artifact.created event");
  return problems.Take();
}

Result<> CheckReceipt(const Json& contract, std::string_view contract_hash, const Json& receipt,
                      const session::RunFacts& facts, std::string_view runner_pem) {
  const auto problems = ReceiptProblems(contract, contract_hash, receipt, facts, runner_pem);
  if (problems.empty()) return {};
  return Fail(Code::kCorrupt, "{}", problems.front());
}

Result<> Countersign(Json& receipt, const Json& contract, std::string_view contract_hash,
                     const session::RunFacts& facts, std::string_view runner_pem,
                     const crypto::PrivateKey& plane_key) {
  WRIT_TRY("countersign", CheckReceipt(contract, contract_hash, receipt, facts, runner_pem));
  return contract::AppendSignature(receipt, contract::kSignerPlane, plane_key);
}

}  // namespace writ::plane
