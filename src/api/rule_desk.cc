#include "api/rule_desk.h"

#include "api/local_run.h"
#include "contract/event.h"
#include "contract/hash.h"
#include "plane/decision_log.h"
#include "storage/run_lock.h"

namespace writ::api {

using canon::Json;

RuleDesk::RuleDesk(LocalState& state, int runs_fd, std::string run_id, NetworkRequest granted, bool approved,
                   policy::EgressCeiling ceiling, std::string policy_hash)
    : state_(state), inbox_(runs_fd, run_id), run_id_(std::move(run_id)), now_(std::move(granted)), approved_(approved),
      ceiling_(std::move(ceiling)), policy_hash_(std::move(policy_hash)) {}

RuleAnswer RuleDesk::AnswerFor(bool applied, const policy::Decision& decision) const {
  const auto grants = decision.SmallestGrant();
  return {applied, decision.rule, decision.reason, fmt::format("{}", fmt::join(grants, "\n")), now_.open, now_.rules};
}

std::optional<session::RuleUpdate> RuleDesk::Next() {
  if (open_) return std::nullopt;
  auto request = inbox_.Take();
  if (!request) return std::nullopt;
  RuleVerdict verdict = JudgeChange(now_, approved_, ceiling_, request->change);
  const Json fact = Json::Of({{"change", request->change.add ? "add" : "remove"},
                              {"rule", request->change.rule},
                              {"by", request->change.by}});
  session::RuleUpdate update{.rules = {},
                             .event = contract::event::Extension("writ.network.changed", fact),
                             .record = [this, fact, decision = verdict.decision]() -> Result<> {
                               const LocalKeys* keys = WRIT_TRY("keys", state_.Keys());
                               const plane::Judged judged{run_id_, WRIT_TRY("rule change", contract::HashCanonical(fact)), policy_hash_};
                               return plane::LogDecision(state_.store(), keys->decision_genesis, decision, judged, state_.clock().Now());
                             }};
  if (verdict.decision.verdict == policy::Verdict::kAllow) update.rules = RulesOf(verdict.next);
  open_ = Open{*std::move(request), std::move(verdict)};
  return update;
}

void RuleDesk::Applied(const Result<>& applied) {
  if (!open_) return;
  policy::Decision decision = open_->verdict.decision;
  const bool granted = decision.verdict == policy::Verdict::kAllow && applied.has_value();
  if (granted) now_ = open_->verdict.next;
  if (!applied) decision.reason = applied.error().what;
  // The asker may be gone; what it would have learnt is in the decision log and the chain too.
  static_cast<void>(inbox_.Answer(open_->request, AnswerFor(granted, decision)));
  open_.reset();
}

Result<RuleAnswer> ChangeRunRule(LocalState& state, std::string_view name, const RuleChange& change, Deadline deadline) {
  const std::string id = WRIT_TRY("net", state.store().ResolveRun(name));
  const storage::Run run = WRIT_TRY("net", state.store().GetRun(id));
  if (storage::IsTerminal(run.status))
    return Fail(Code::kInvalid, "run {} has already ended: {}", id, storage::RunStatusName(run.status));
  const auto runs = WRIT_TRY("net", state.directory().Subdirectory(kRunsDirectory));
  return DropRuleRequest(runs.get(), id, change, deadline,
                         [&] { return storage::RunLock::IsHeld(state.directory(), id); });
}

}  // namespace writ::api
