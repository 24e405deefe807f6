#include "plane/decision_log.h"

namespace writ::plane {
namespace {

storage::DecisionKind KindOf(policy::Verdict verdict) {
  switch (verdict) {
    case policy::Verdict::kAllow: return storage::DecisionKind::kAllow;
    case policy::Verdict::kNeedsApproval: return storage::DecisionKind::kAsk;
    case policy::Verdict::kDeny: break;
  }
  return storage::DecisionKind::kDeny;
}

Result<> Store(storage::Store& store, std::string_view genesis, const storage::NewDecision& entry) {
  const auto transaction = WRIT_TRY("decision log", store.Begin());
  WRIT_TRY("decision log", transaction->AppendDecision(genesis, entry));
  return transaction->Commit(storage::Durability::kDurable);
}

}  // namespace

storage::NewDecision EntryFor(const policy::Decision& decision, const Judged& judged, WallTime now) {
  canon::Json detail = canon::Json::Of({{"rule", decision.rule}});
  const auto list = [&](std::string_view name, const std::vector<std::string>& texts) {
    if (texts.empty()) return;
    canon::Json values = canon::Json::MakeArray();
    for (const auto& text : texts) values.Append(text);
    detail.Set(name, std::move(values));
  };
  list("reasons", decision.Reasons());
  list("consentRequirements", decision.ConsentRequirements());
  return {.kind = KindOf(decision.verdict),
          .at = now,
          .run_id = judged.run_id,
          .digest = judged.digest,
          .policy_hash = judged.policy_hash,
          .reason = decision.reason,
          .detail = std::move(detail)};
}

Result<> LogDecision(storage::Store& store, std::string_view genesis, const policy::Decision& decision,
                     const Judged& judged, WallTime now) {
  return Store(store, genesis, EntryFor(decision, judged, now));
}

Result<> LogRefusal(storage::Store& store, std::string_view genesis, std::string_view reason, const Judged& judged,
                    WallTime now) {
  return Store(store, genesis,
               {.kind = storage::DecisionKind::kRefusal,
                .at = now,
                .run_id = judged.run_id,
                .digest = judged.digest,
                .policy_hash = judged.policy_hash,
                .reason = std::string(reason),
                .detail = nullptr});
}

}  // namespace writ::plane
