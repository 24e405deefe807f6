#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/create_run.h"
#include "api/local_state.h"
#include "canon/json.h"
#include "contract/contract.h"
#include "isolation/backend.h"
#include "policy/policy.h"
#include "secrets/edge_secret.h"
#include "session/materialise.h"
#include "session/redaction.h"
#include "session/run_engine.h"
#include "workspace/collect.h"

namespace writ::api {

/// The policy that judges the request.
Result<policy::Policy> LoadPolicy(LocalState& state, const CreateRun& request);

/// Everything that is known before the contract: what was asked, judged, opened and measured.
struct Prepared {
  isolation::Backend* backend = nullptr;
  session::StatePlace place;
  session::Materialised given;
  isolation::SessionSpec spec;
  std::vector<workspace::DeclaredOutput> outputs;
  session::Redaction redaction;
  std::vector<std::string> options;  ///< of `writ run`
  policy::EgressCeiling ceiling;     ///< of the policy that judged it
  std::string policy_hash;
  std::vector<secrets::EdgeSecret> edge;
};

/// Opens and measures all of it. Without `may_write` nothing is staged and no secret is fetched: for a preview, and for a
/// run that is going to wait. Errors: kUnavailable for a tier that is not there; those of files and secrets.
Result<Prepared> Prepare(LocalState& state, const CreateRun& request, std::string_view run_id, bool may_write);

/// What has been done by the time of the contract: secrets released by name, then inputs and workspace materialised.
std::vector<canon::Json> BegunEvents(const contract::Contract& draft, const session::Materialised& given);

}  // namespace writ::api
