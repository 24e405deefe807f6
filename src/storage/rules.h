#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "storage/store.h"

/// What every implementation of Store checks before it changes anything, so that all of them refuse the same.
namespace writ::storage {

/// `[A-Za-z0-9_-]{1,128}`: safe as a file name and in a URL path.
bool IsRunId(std::string_view id);

/// What the rules need to know of a run.
struct RunState {
  RunStatus status = RunStatus::kCreated;
  bool has_contract = false, has_receipt = false;
  std::string head;
  std::uint64_t event_count = 0;
};

Result<> CheckNewRun(const NewRun& run);
Result<> CheckContract(std::string_view id, const RunState& state, std::string_view contract_hash);
Result<> CheckEvent(std::string_view id, const RunState& state, const NewEvent& event);
Result<> CheckReceipt(std::string_view id, const RunState& state, std::string_view events_head, RunStatus status);
Result<> CheckStatus(std::string_view id, const RunState& state);
Result<> CheckArtifact(std::string_view id, const Artifact& artifact);
Result<> CheckDecision(std::string_view genesis, const NewDecision& decision);

std::unexpected<Error> NoSuchRun(std::string_view id);
std::unexpected<Error> RunExists(std::string_view id);

/// The half-open range of ids that begin with `prefix`. Precondition: IsRunId(prefix).
struct IdRange {
  std::string first, end;
};
IdRange IdsWithPrefix(std::string_view prefix);

/// Picks the run that a shortened id means from the ids found for it (at most kCandidatesMax + 1, sorted).
inline constexpr std::size_t kCandidatesMax = 8;
Result<std::string> PickRun(std::string_view prefix, const std::vector<std::string>& found);

}  // namespace writ::storage
