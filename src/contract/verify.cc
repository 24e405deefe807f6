#include <algorithm>

#include "contract/bundle.h"
#include "contract/chain.h"
#include "contract/cross_check.h"
#include "contract/hash.h"
#include "contract/names.h"
#include "contract/signing.h"

namespace writ::contract {

using canon::Json;

namespace {

/// What goes wrong while reading a bundle that lacks members; becomes the one problem "bundle is malformed".
std::unexpected<Error> Malformed(std::string_view why) { return Fail(Code::kInvalid, "{}", why); }

/// A member of something that must be there: absent and null owners are an error, an absent member is nullptr.
Result<const Json*> Member(const Json* owner, std::string_view name) {
  if (owner == nullptr || owner->is_null()) return Malformed(fmt::format("{} is asked of something that is missing", name));
  return owner->Find(name);
}

Result<const Json*> Container(const Json* owner, std::string_view name, bool (Json::*has_type)() const) {
  const Json* member = WRIT_TRY("read", Member(owner, name));
  if (member == nullptr || !(member->*has_type)()) return Malformed(fmt::format("{} is missing or of a wrong type", name));
  return member;
}

Result<std::string_view> Text(const Json* owner, std::string_view name) {
  return std::string_view(WRIT_TRY("read", Container(owner, name, &Json::is_string))->string());
}

/// Equality as the original compares (===): absent equals absent, containers equal nothing.
bool Same(const Json* a, const Json* b) {
  if (a == nullptr || b == nullptr) return a == b;
  if (a->is_array() || a->is_object()) return false;
  return *a == *b;
}
bool Is(const Json* value, std::string_view text) {
  return value != nullptr && value->is_string() && value->string() == text;
}

Result<bool> Signed(const Json& object, std::string_view signer, std::string_view pem, std::string_view unsigned_hash) {
  const Json* signatures = WRIT_TRY("signatures", Container(&object, "signatures", &Json::is_array));
  for (const Json& entry : signatures->array()) {
    if (entry.is_null()) return Malformed("a signature is null");
    if (Is(entry.Find("signer"), signer)) break;
  }
  return CheckSignature(*signatures, signer, pem, unsigned_hash) == SignatureState::kValid;
}

std::string ReleaseKey(const Json* name, const Json* scope, const Json* ts) {
  std::string key;
  for (const Json* part : {name, scope, ts}) {
    // A part that cannot be written (an infinity) makes the hash of its owner fail, so the key is never judged.
    if (part == nullptr || !canon::AppendCanonical(key, *part)) key += '-';
    key += '\n';
  }
  return key;
}

class Checker {
 public:
  Checker(const Json& contract, std::string_view contract_hash, const Json& receipt, const Json& events,
          std::vector<std::string>& problems)
      : contract_(contract), contract_hash_(contract_hash), receipt_(receipt), events_(events), problems_(problems) {}

  /// Steps 2 to 13 of docs/formats/evidence.md.
  Result<> CheckReceipt(std::string_view runner_pem, std::string_view receipt_hash) {
    Require(Same(receipt_.Find("runId"), contract_.Find("runId")), "receipt.runId does not match the contract");
    Require(Is(receipt_.Find("contractHash"), contract_hash_), "receipt.contractHash does not match the contract");
    const Json* runner = receipt_.Find("runner");
    Require(Is(WRIT_TRY("receipt.runner", Member(runner, "keyId")), crypto::KeyIdOfPem(runner_pem)),
            "receipt runner key id does not match the enrolled runner key");
    Require(Same(runner->Find("pool"), WRIT_TRY("contract.runner", Member(contract_.Find("runner"), "pool"))),
            "receipt runner pool does not match the contract");
    Require(WRIT_TRY("receipt", Signed(receipt_, kSignerRunner, runner_pem, receipt_hash)), "receipt runner signature invalid");
    WRIT_TRY("events", CheckChain());
    WRIT_TRY("workspace", CheckWorkspaceIn());
    WRIT_TRY("secretsReleased", CheckSecrets());
    return CheckDiff();
  }

 private:
  void Require(bool holds, std::string_view problem) {
    if (!holds) problems_.emplace_back(problem);
  }

  Result<> CheckChain() {
    if (const auto broken = WRIT_TRY("chain", VerifyChain(contract_hash_, events_))) {
      problems_.push_back(fmt::format("event chain broken at seq {}: {}", broken->seq, broken->reason));
    }
    if (events_.array().empty()) {
      problems_.emplace_back("event chain is empty");
      return {};
    }
    const Json& last = events_.array().back();
    Require(Same(receipt_.Find("eventsHead"), last.Find("hash")), "receipt.eventsHead does not match the last event hash");
    const Json count(events_.array().size());
    Require(Same(receipt_.Find("eventCount"), &count), "receipt.eventCount does not match the event chain");
    const Json* status = receipt_.Find("status");
    std::string_view terminal;
    if (Is(status, "completed")) terminal = "run.completed";
    if (Is(status, "failed")) terminal = "run.failed";
    if (Is(status, "cancelled")) terminal = "run.cancelled";
    if (terminal.empty()) return Malformed("receipt.status is none of completed, failed, cancelled");
    Require(Is(WRIT_TRY("last event", Member(last.Find("event"), "type")), terminal), "terminal event does not match receipt status");
    return {};
  }

  Result<> CheckWorkspaceIn() {
    const Json* given = receipt_.Find("workspaceIn");
    const Json* workspace = contract_.Find("workspace");
    Require(Same(WRIT_TRY("receipt.workspaceIn", Member(given, "baseRef")), WRIT_TRY("contract.workspace", Member(workspace, "baseRef"))),
            "receipt.workspaceIn.baseRef does not match the contract");
    Require(Is(given->Find("manifestHash"), WRIT_TRY("manifest", HashCanonical(*workspace))),
            "receipt.workspaceIn.manifestHash does not match the contract");
    return {};
  }

  Result<> CheckSecrets() {
    std::vector<std::string> released, stated;
    for (const Json& entry : events_.array()) {
      const Json* event = entry.Find("event");
      if (!Is(WRIT_TRY("event", Member(event, "type")), "secret.released")) continue;
      released.push_back(ReleaseKey(event->Find("name"), event->Find("scope"), entry.Find("ts")));
    }
    for (const Json& release : WRIT_TRY("receipt", Container(&receipt_, "secretsReleased", &Json::is_array))->array()) {
      if (release.is_null()) return Malformed("an entry is null");
      stated.push_back(ReleaseKey(release.Find("name"), release.Find("scope"), release.Find("ts")));
    }
    std::ranges::sort(released);
    std::ranges::sort(stated);
    Require(released == stated, "secretsReleased does not match secret.released events");
    return {};
  }

  Result<> CheckDiff() {
    const Json* diff_hash = WRIT_TRY("receipt.workspaceOut", Member(receipt_.Find("workspaceOut"), "diffHash"));
    if (Is(diff_hash, "")) return {};
    const bool known = std::ranges::any_of(events_.array(), [&](const Json& entry) {
      const Json* event = entry.Find("event");
      return Is(event->Find("type"), "artifact.created") && Same(event->Find("hash"), diff_hash);
    });
    Require(known, "workspaceOut.diffHash has no matching artifact.created event");
    return {};
  }

  const Json& contract_;
  std::string_view contract_hash_;
  const Json& receipt_;
  const Json& events_;
  std::vector<std::string>& problems_;
};

bool Accepts(const std::vector<Pin>& pins, std::string_view pem, std::string_view key_id) {
  const auto key = crypto::PublicKey::FromPem(pem);
  return std::ranges::any_of(pins, [&](const Pin& pin) { return pin.raw ? key && key->raw() == *pin.raw : pin.key_id == key_id; });
}

Result<> Verify(const Json& bundle, const Pins& pins, Verification& verification) {
  auto& problems = verification.problems;
  const Json* contract = WRIT_TRY("bundle", Container(&bundle, "contract", &Json::is_object));
  const Json* receipt = WRIT_TRY("bundle", Container(&bundle, "receipt", &Json::is_object));
  const Json* events = WRIT_TRY("bundle", Container(&bundle, "events", &Json::is_array));
  const Json* keys = WRIT_TRY("bundle", Container(&bundle, "keys", &Json::is_object));
  const std::string_view plane_pem = WRIT_TRY("keys", Text(keys, "planePublicKeyPem"));
  const std::string_view runner_pem = WRIT_TRY("keys", Text(keys, "runnerPublicKeyPem"));
  const std::string contract_hash = WRIT_TRY("contract", HashUnsigned(*contract));
  const std::string receipt_hash = WRIT_TRY("receipt", HashUnsigned(*receipt));
  if (!WRIT_TRY("contract", Signed(*contract, kSignerPlane, plane_pem, contract_hash))) {
    problems.emplace_back("contract plane signature invalid");
  }
  WRIT_TRY("read", Checker(*contract, contract_hash, *receipt, *events, problems).CheckReceipt(runner_pem, receipt_hash));
  if (!WRIT_TRY("receipt", Signed(*receipt, kSignerPlane, plane_pem, receipt_hash))) {
    problems.emplace_back("receipt plane countersignature invalid");
  }
  CrossCheck(*contract, *receipt, *events, verification.warnings);
  const std::string plane_id = crypto::KeyIdOfPem(plane_pem);
  verification.pinned = Accepts(pins.plane, plane_pem, plane_id);
  if (!pins.plane.empty() && !verification.pinned) problems.push_back(fmt::format("plane key {} is not pinned", plane_id));
  const std::string runner_id = crypto::KeyIdOfPem(runner_pem);
  if (!pins.runner.empty() && !Accepts(pins.runner, runner_pem, runner_id)) {
    problems.push_back(fmt::format("runner key {} is not pinned", runner_id));
  }
  return {};
}

}  // namespace

Verification VerifyBundle(const Json& bundle, const Pins& pins) {
  Verification verification;
  if (auto done = Verify(bundle, pins, verification); !done) {
    verification = Verification{};
    verification.problems.push_back("bundle is malformed: " + done.error().what);
  }
  return verification;
}

std::vector<std::string> CheckRunnerReceipt(const Json& contract, std::string_view contract_hash, const Json& receipt, const Json& events,
                                            std::string_view runner_public_key_pem) {
  std::vector<std::string> problems;
  const auto check = [&]() -> Result<> {
    if (!receipt.is_object() || !contract.is_object() || !events.is_array()) return Malformed("receipt, contract or events are missing");
    const std::string receipt_hash = WRIT_TRY("receipt", HashUnsigned(receipt));
    return Checker(contract, contract_hash, receipt, events, problems).CheckReceipt(runner_public_key_pem, receipt_hash);
  };
  if (auto done = check(); !done) problems = {"bundle is malformed: " + done.error().what};
  return problems;
}

}  // namespace writ::contract
