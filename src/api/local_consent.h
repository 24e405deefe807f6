#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/create_run.h"
#include "api/local_plane.h"
#include "api/local_state.h"
#include "api/run_control.h"
#include "contract/contract.h"
#include "plane/issue_contract.h"
#include "plane/parked_run.h"
#include "policy/decision.h"

/// Runs of one machine that wait for consent: parked, shown, answered. The rules are those of a plane (plane/consent.h);
/// who answers is the user of the process, by the name of the real uid. Preconditions: `state` is open, for writing where
/// something is changed.
namespace writ::api {

/// Parks what a decision asked about, durably. `draft` says completely what would run.
Result<plane::ParkedRun> ParkRun(LocalState& state, const LocalKeys& keys, const CreateRun& request,
                                 const contract::Contract& draft, const policy::Decision& decision, std::string_view summary);

/// How a parked run stands.
struct Consent {
  enum class State : std::uint8_t {
    kWaiting,  ///< `why` says what is needed
    kGranted,  ///< `granted` is set
    kOver      ///< denied, cancelled or expired; `why` says which
  } state = State::kWaiting;
  plane::ParkedRun parked;
  std::optional<plane::Granted> granted;
  std::string why;
};
/// Looks, and ends a question that has waited too long.
Result<Consent> LookAtConsent(LocalState& state, std::string_view run_id);
/// Looks until there is an answer, the question ends, or the caller cancels; then the run is ended.
Result<Consent> AwaitConsent(LocalState& state, std::string_view run_id, RunControl& control);

/// What has to be done for a parked run, in one sentence.
std::string HowToGoOn(const plane::ParkedRun& parked);

/// Ends a parked run without an answer, and logs why.
Result<> EndParkedRun(LocalState& state, const storage::Run& run, std::string_view why);

// Handlers of LocalPlane.
Result<std::vector<canon::Json>> PendingRuns(LocalState& state);
Result<canon::Json> ApprovalOf(LocalState& state, std::string_view run);
Result<ConsentResult> AnswerRun(LocalState& state, const ConsentAnswer& answer);
Result<RecordedOrder> OrderOf(LocalState& state, std::string_view run);

}  // namespace writ::api
