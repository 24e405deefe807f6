#include "plane/run_intake.h"

#include <utility>

#include "base/ids.h"
#include "contract/hash.h"
#include "plane/consent.h"
#include "plane/decision_log.h"
#include "plane/parked_run.h"
#include "plane/proposal.h"
#include "policy/evaluate.h"

namespace writ::plane {

using canon::Json;

namespace {

constexpr std::size_t kSummaryPromptMax = 4096;

Json TextList(const std::vector<std::string>& texts) { return Json(Json::Array(texts.begin(), texts.end())); }

Refusal DenialOf(const policy::Decision& decision) {
  return {.status = 403, .error = decision.reason, .code = "policy_denied", .reasons = decision.Reasons()};
}

Answer<policy::Decision> JudgeRequest(const Core& core, const storage::Principal& principal, const RunRequest& request) {
  auto asked = PolicyRequestOf(request, core.policy, principal.name, core.settings.isolation_tiers);
  if (!asked) return InvalidRequest({asked.error().what});
  return policy::Evaluate(core.policy, *asked);
}

Result<contract::Contract> Draft(const Core& core, const RunRequest& request, std::string run_id) {
  return DraftFor(request, core.policy, std::move(run_id), core.settings.isolation_tiers);
}

Json Created(std::string_view run_id, storage::RunStatus status, const std::vector<std::string>& requirements) {
  return Json::Of({{"runId", run_id}, {"status", storage::RunStatusName(status)}, {"consentRequirements", TextList(requirements)}});
}

}  // namespace

Json SummaryOf(const contract::Contract& draft, std::string_view principal, const std::vector<std::string>& consent_requirements) {
  Json summary = Json::Of({{"agentKind", draft.agent.kind},
                           {"pool", draft.pool},
                           {"prompt", contract::FitText(draft.prompt, kSummaryPromptMax)},
                           {"requestedBy", contract::ToJson(draft.requested_by)},
                           {"principal", principal},
                           {"consentRequirements", TextList(consent_requirements)}});
  if (draft.continuation) summary.Set("continuation", contract::ToJson(*draft.continuation));
  return summary;
}

Answer<> StartRun(Core& core, Change& change, std::string_view run_id, SignedRun run, std::string_view tenant) {
  KeptRun* kept = WRIT_ANSWER(core.chains.Open(change, run_id));
  WRIT_ANSWER(core.chains.Append(change, *kept, std::move(run.events)));
  WRIT_ANSWER(QueueRun(core, change, run_id, run.contract.json, tenant));
  return {};
}

Answer<Submitted> SubmitRun(Core& core, Change& change, const storage::Principal& principal, const RunRequest& request) {
  if (core.queue.CountOfTenant(principal.name) >= core.settings.waiting_per_tenant_max)
    return Plain(429, fmt::format("too many runs of {} are waiting", principal.name));
  const policy::Decision decision = WRIT_ANSWER(JudgeRequest(core, principal, request));
  const std::string run_id = MakeId("run_");
  contract::Contract draft = WRIT_ANSWER(Draft(core, request, run_id));
  const Json proposal = ProposalOf(draft);
  const std::string digest = WRIT_ANSWER(DigestOfProposal(proposal));
  if (decision.verdict == policy::Verdict::kDeny) {
    WRIT_ANSWER(change->AppendDecision(core.keys.decision_genesis, EntryFor(decision, {"", digest, core.policy.hash}, change.now())));
    return Submitted{nullptr, DenialOf(decision)};
  }
  change.AfterCommit([&core] { core.metrics.Add("runs.requested"); });
  const auto requirements = decision.ConsentRequirements();
  const std::string summary = canon::Compact(SummaryOf(draft, principal.name, requirements));
  if (decision.verdict == policy::Verdict::kAllow) {
    if (core.queue.KindsOfTenant(principal.name) >= core.settings.kinds_per_tenant_max &&
        !core.queue.HasKind(request.pool, NeedsOf(proposal, principal.name, core.settings.isolation_tiers)))
      return Plain(429, fmt::format("runs of {} wait for too many different kinds of runners", principal.name));
    WRIT_ANSWER(change->CreateRun({run_id, storage::RunStatus::kCreated, change.now(), summary}));
    SignedRun run = WRIT_ANSWER(SignRun(*change, {core.keys.plane, core.keys.plane_pem, core.keys.decision_genesis, change.now()},
                                        std::move(draft), decision, std::nullopt));
    WRIT_ANSWER(StartRun(core, change, run_id, std::move(run), principal.name));
    return Submitted{Created(run_id, storage::RunStatus::kCreated, requirements), std::nullopt};
  }
  const Question question{run_id,           digest, core.policy.hash, draft.requested_by, principal.name, change.now(),
                          decision.consent};
  const std::size_t bytes = canon::Compact(proposal).size();
  if (core.parked.CountOf(principal.name) >= core.settings.parked_per_tenant_max ||
      core.parked.BytesOf(principal.name) + bytes > core.settings.parked_bytes_per_tenant_max)
    return Plain(429, fmt::format("too many runs of {} are waiting for approval", principal.name));
  WRIT_ANSWER(Park({*change, core.keys.decision_genesis, change.now()}, question, proposal, summary, decision));
  NoteParked(core, change, run_id, {principal.name, bytes, EndOf(question)});
  return Submitted{Created(run_id, storage::RunStatus::kAwaitingApproval, requirements), std::nullopt};
}

Answer<Json> PreviewRun(const Core& core, const storage::Principal& principal, const RunRequest& request) {
  const policy::Decision decision = WRIT_ANSWER(JudgeRequest(core, principal, request));
  if (decision.verdict == policy::Verdict::kDeny) return std::unexpected(DenialOf(decision));
  const contract::Contract draft = WRIT_ANSWER(Draft(core, request, "run_preview"));
  Json workspace = Json::Of({{"baseRef", request.workspace.base_ref}, {"bundleHash", request.workspace.bundle_hash}});
  if (request.workspace.dirty_diff_hash) workspace.Set("dirtyDiffHash", *request.workspace.dirty_diff_hash);
  Json untracked = Json::MakeArray(), secrets = Json::MakeArray();
  for (const auto& file : request.workspace.untracked_files) untracked.Append(file.path);
  for (const auto& claim : draft.secrets) secrets.Append(contract::ToJson(claim));
  workspace.Set("untrackedPaths", std::move(untracked));
  workspace.Set("deniedPaths", TextList(request.workspace.denied_paths));
  Json preview = Json::Of({{"dryRun", true},
                           {"agent", contract::ToJson(draft.agent)},
                           {"pool", draft.pool},
                           {"workspace", std::move(workspace)},
                           {"secrets", std::move(secrets)},
                           {"network", contract::ToJson(draft.network)},
                           {"budget", contract::ToJson(draft.budget)},
                           {"disclosure", draft.disclosure},
                           {"execution", draft.execution}});
  if (draft.isolation) preview.Set("isolation", *draft.isolation);
  if (draft.continuation) preview.Set("continuation", contract::ToJson(*draft.continuation));
  preview.Set("policyDecision", Json::Of({{"decision", policy::VerdictName(decision.verdict)},
                                          {"reason", decision.reason},
                                          {"consentRequirements", TextList(decision.ConsentRequirements())}}));
  if (!draft.writ.is_null()) {
    // What the contract would say: the echo by which a client sees that the extension was understood.
    Json writ = draft.writ;
    writ.Remove("nonce");
    preview.Set("writ", std::move(writ));
  }
  return preview;
}

}  // namespace writ::plane
