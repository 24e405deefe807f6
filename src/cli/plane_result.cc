#include "cli/plane_result.h"

#include <array>

#include "cli/content_json.h"
#include "contract/event.h"
#include "contract/extension.h"
#include "session/exit_code.h"
#include "workspace/danger.h"

namespace writ::cli {
namespace {

using canon::Json;
using isolation::Termination;

constexpr std::size_t kChangesMax = 100;

std::string TextOf(const Json* json, std::string_view member) {
  const std::string* text = json ? json->FindString(member) : nullptr;
  return text ? *text : std::string();
}

Termination HowOf(std::string_view word) {
  constexpr std::array kAll{Termination::kExited,      Termination::kSignal,       Termination::kTimeLimit, Termination::kCpuLimit,
                            Termination::kMemoryLimit, Termination::kOutputLimit,  Termination::kDiskLimit, Termination::kEgressBudget,
                            Termination::kCancelled,   Termination::kInterrupted,  Termination::kNotStarted};
  for (const Termination how : kAll) {
    if (isolation::TerminationName(how) == word) return how;
  }
  return Termination::kNotStarted;
}

std::optional<std::int64_t> Signed(const std::optional<std::uint64_t>& value) {
  return value ? std::optional(static_cast<std::int64_t>(*value)) : std::nullopt;
}

/// What a receipt of ours says.
void TakeExtension(const contract::ReceiptExtension& writ, api::RunResult& result) {
  auto& outcome = result.outcome;
  outcome.how = HowOf(writ.termination.how);
  outcome.code = static_cast<int>(writ.termination.code.value_or(0));
  outcome.message = writ.termination.message.value_or("");
  outcome.use = {static_cast<std::int64_t>(writ.use.wall_us), Signed(writ.use.cpu_user_us), Signed(writ.use.cpu_system_us),
                 writ.use.memory_peak_bytes, writ.use.stdout_bytes, writ.use.stderr_bytes};
  outcome.stdout_truncated = writ.stdout_truncated;
  outcome.stderr_truncated = writ.stderr_truncated;
  result.guarantees.tier = writ.tier;
  result.guarantees.backend = writ.backend.name + " " + writ.backend.version;
  result.guarantees.enforced = isolation::Mechanisms(writ.enforced.begin(), writ.enforced.end());
  for (const auto& output : writ.outputs) result.outputs.push_back({output.name, output.sha256, output.bytes, {}});
  for (const auto& file : writ.undeclared) result.undeclared.push_back(file.name);
  result.undeclared_count = writ.undeclared.size() + writ.undeclared_more;
  result.missing = writ.missing;
}

/// What the events say that no receipt of the original protocol has.
void TakeEvent(const Json& event, bool extended, api::RunResult& result) {
  const std::string type = TextOf(&event, "type");
  if (type == "file.changed") {
    ++result.files_changed;
    if (result.changes.size() == kChangesMax) return;
    const std::string path = TextOf(&event, "path");
    const bool gone = TextOf(&event, "contentHash") == contract::event::kAbsentFile;
    workspace::FileState state;
    state.type = workspace::EntryType::kFile;
    result.changes.push_back({path, gone ? "deleted" : "changed", gone ? std::string() : workspace::DangerOf(path, state)});
  } else if (type == "run.failed") {
    result.problem = TextOf(&event, "message");
  } else if (type == "command.executed" && !extended) {
    const Json* code = event.Find("exitCode");
    if (code && code->is_number() && code->number() >= 0 && code->number() <= 255) {
      result.outcome.how = Termination::kExited;
      result.outcome.code = static_cast<int>(code->number());
    }
  }
}

}  // namespace

api::RunResult ResultOf(const client::Evidence& evidence) {
  api::RunResult result;
  result.decision.verdict = api::Verdict::kAllow;
  const Json* contract = evidence.bundle.Find("contract");
  const Json* receipt = evidence.bundle.Find("receipt");
  if (contract) result.contract = *contract;
  if (receipt) result.receipt = *receipt;
  result.run_id = TextOf(contract, "runId");
  result.status = TextOf(receipt, "status");
  result.decision.policy_hash = TextOf(contract, "policyHash");
  const Json* writ = receipt ? receipt->Find("writ") : nullptr;
  const auto extension = writ ? contract::DecodeReceiptExtension(*writ) : Fail(Code::kNotFound, "none");
  if (extension) TakeExtension(*extension, result);
  const Json* events = evidence.bundle.Find("events");
  if (events && events->is_array()) {
    for (const Json& entry : events->array()) {
      if (const Json* event = entry.Find("event")) TakeEvent(*event, extension.has_value(), result);
    }
  }
  if (!extension && result.status == "cancelled") result.outcome.how = Termination::kCancelled;
  const bool own_end = result.outcome.how == Termination::kExited || result.outcome.how == Termination::kSignal;
  if (own_end) result.problem.clear();
  if (!own_end && !result.outcome.message.empty()) result.problem = result.outcome.message;
  result.exit_code = session::ShellExitCode(result.outcome, session::CancelledBy::kCaller);
  if (!evidence.ok()) {
    result.exit_code = 125;
    result.problem = "the evidence of this run does not hold; do not use its results";
  } else if (!result.missing.empty() && result.exit_code == 0) {
    result.exit_code = 125;
  }
  return result;
}

std::vector<std::string> EvidenceLines(const client::Evidence& evidence) {
  std::vector<std::string> lines;
  for (const auto& problem : evidence.verification.problems) lines.push_back(fmt::format("evidence: {}", problem));
  for (const auto& warning : evidence.verification.warnings) lines.push_back(fmt::format("evidence: {}", warning));
  if (evidence.first_use) {
    lines.push_back(fmt::format("the key of this plane, {}, was not known before and is now on record; compare it with what its operator says",
                                evidence.plane_key_id));
  }
  return lines;
}

Json EvidenceJson(const client::Evidence& evidence) {
  return Json::Of({{"ok", evidence.ok()},
                   {"pinned", evidence.verification.pinned},
                   {"firstUse", evidence.first_use},
                   {"planeKeyId", evidence.plane_key_id},
                   {"problems", TextArray(evidence.verification.problems)},
                   {"warnings", TextArray(evidence.verification.warnings)}});
}

api::DecisionView PlaneDecision(api::Verdict verdict, std::vector<std::string> reasons, std::string_view plane_url) {
  api::DecisionView decision;
  decision.verdict = verdict;
  decision.reasons = std::move(reasons);
  decision.policy_source = fmt::format("the plane {}", plane_url);
  return decision;
}

}  // namespace writ::cli
