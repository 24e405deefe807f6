#include "storage/rules.h"

#include <algorithm>

#include "base/escape.h"
#include "crypto/digest.h"

namespace writ::storage {

bool IsRunId(std::string_view id) {
  return !id.empty() && id.size() <= 128 && std::ranges::all_of(id, [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

Result<> CheckNewRun(const NewRun& run) {
  if (!IsRunId(run.id)) {
    return Fail(Code::kInvalid, "run id \"{}\" must be 1 to 128 letters, digits, _ or -", EscapeVisible(run.id, 80));
  }
  if (IsTerminal(run.status))
    return Fail(Code::kInvalid, "run {} cannot begin as {}", run.id, RunStatusName(run.status));
  return {};
}

Result<> CheckContract(std::string_view id, const RunState& state, std::string_view contract_hash) {
  if (state.has_contract) return Fail(Code::kInvalid, "run {} has its contract already", id);
  if (IsTerminal(state.status)) return Fail(Code::kInvalid, "run {} is {}", id, RunStatusName(state.status));
  if (!crypto::IsHash(contract_hash)) return Fail(Code::kInvalid, "contract hash of run {} is not a SHA-256", id);
  return {};
}

Result<> CheckEvent(std::string_view id, const RunState& state, const NewEvent& event) {
  if (!state.has_contract) return Fail(Code::kInvalid, "run {} has no contract, so it has no event chain", id);
  if (state.has_receipt || IsTerminal(state.status)) {
    return Fail(Code::kInvalid, "run {} is {}; nothing can be added", id, RunStatusName(state.status));
  }
  if (event.seq != state.event_count) {
    return Fail(Code::kInvalid, "event {} does not continue run {}, whose next event is {}", event.seq, id,
                state.event_count);
  }
  if (event.prev != state.head) {
    return Fail(Code::kInvalid, "event {} of run {} does not follow the head of its chain", event.seq, id);
  }
  if (!crypto::IsHash(event.hash))
    return Fail(Code::kInvalid, "hash of event {} of run {} is not a SHA-256", event.seq, id);
  return {};
}

Result<> CheckReceipt(std::string_view id, const RunState& state, std::string_view events_head, RunStatus status) {
  if (!state.has_contract) return Fail(Code::kInvalid, "run {} has no contract, so it cannot have a receipt", id);
  if (state.has_receipt) return Fail(Code::kInvalid, "run {} has its receipt already", id);
  if (IsTerminal(state.status)) return Fail(Code::kInvalid, "run {} is {}", id, RunStatusName(state.status));
  if (!IsTerminal(status)) return Fail(Code::kInvalid, "a receipt cannot leave run {} {}", id, RunStatusName(status));
  if (events_head != state.head)
    return Fail(Code::kInvalid, "the receipt of run {} does not name the head of its chain", id);
  return {};
}

Result<> CheckStatus(std::string_view id, const RunState& state) {
  if (IsTerminal(state.status)) return Fail(Code::kInvalid, "run {} is {}", id, RunStatusName(state.status));
  return {};
}

Result<> CheckArtifact(std::string_view id, const Artifact& artifact) {
  if (!crypto::IsHash(artifact.hash)) {
    return Fail(Code::kInvalid, "artifact {} of run {} has no SHA-256", EscapeVisible(artifact.kind, 80), id);
  }
  if (artifact.bytes > INT64_MAX) return Fail(Code::kInvalid, "artifact of run {} is too large", id);
  return {};
}

Result<> CheckDecision(std::string_view genesis, const NewDecision& decision) {
  if (!crypto::IsHash(genesis)) return Fail(Code::kInvalid, "the genesis of the decision log must be a SHA-256");
  if (!crypto::IsHash(decision.digest))
    return Fail(Code::kInvalid, "a decision must name what was judged by its SHA-256");
  if (!decision.policy_hash.empty() && !crypto::IsHash(decision.policy_hash)) {
    return Fail(Code::kInvalid, "the policy hash of a decision must be a SHA-256");
  }
  if (!decision.run_id.empty() && !IsRunId(decision.run_id)) {
    return Fail(Code::kInvalid, "run id \"{}\" of a decision is malformed", EscapeVisible(decision.run_id, 80));
  }
  if (!decision.detail.is_null() && !decision.detail.is_object()) {
    return Fail(Code::kInvalid, "the detail of a decision must be an object");
  }
  return {};
}

std::unexpected<Error> NoSuchRun(std::string_view id) {
  return Fail(Code::kNotFound, "there is no run {}", EscapeVisible(id, 140));
}

std::unexpected<Error> RunExists(std::string_view id) { return Fail(Code::kInvalid, "run {} exists already", id); }

IdRange IdsWithPrefix(std::string_view prefix) {
  IdRange range{std::string(prefix), std::string(prefix)};
  ++range.end.back();  // the alphabet of ids ends long before 0x7f
  return range;
}

Result<std::string> PickRun(std::string_view prefix, const std::vector<std::string>& found) {
  const std::string with_prefix = fmt::format("run_{}", prefix);
  for (const std::string_view exact : {prefix, std::string_view(with_prefix)}) {
    if (std::ranges::find(found, exact) != found.end()) return std::string(exact);
  }
  if (found.empty()) return NoSuchRun(prefix);
  if (found.size() == 1) return found.front();
  const std::size_t shown = std::min(found.size(), kCandidatesMax);
  return Fail(Code::kInvalid, "{} could be {}{}; give more of the id", EscapeVisible(prefix, 140),
              fmt::join(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(shown), ", "),
              found.size() > shown ? " and others" : "");
}

}  // namespace writ::storage
