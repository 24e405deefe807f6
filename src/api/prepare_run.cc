#include "api/prepare_run.h"

#include <utility>

#include "api/draft_contract.h"
#include "api/local_run.h"
#include "api/repeat_command.h"
#include "api/run_network.h"
#include "api/run_secrets.h"
#include "contract/event.h"
#include "policy/load.h"
#include "session/run_interception.h"

namespace writ::api {
namespace {

using canon::Json;

/// Errors: kUnavailable, listing what is there.
Result<isolation::Backend*> FindBackend(const LocalPlaneOptions& options, const std::string& tier) {
  std::string available;
  for (const auto& backend : options.backends) {
    if (backend->tier() == tier) return backend.get();
    available += fmt::format("{}{}", available.empty() ? "" : ", ", backend->tier());
  }
  return Fail(Code::kUnavailable, "tier {} is not available here; available: {}", tier,
              available.empty() ? "none" : available);
}

Result<session::StatePlace> PlaceOf(LocalState& state, bool may_write, bool stages) {
  session::StatePlace place;
  place.path = WRIT_TRY("state directory", state.Path());
  place.exists = WRIT_TRY("state directory", state.Exists());
  if (may_write && stages) {
    WRIT_TRY("staging directory", state.directory().Subdirectory(kStagingDirectory));
    place.staging = state.directory().File(kStagingDirectory);
  } else if (may_write) {
    place.staging = place.path;
  }
  return place;
}

/// The secrets of a run, put where the job will find them.
struct Given {
  session::Redaction redaction;
  std::vector<secrets::EdgeSecret> edge;  ///< for the proxy; the job has their placeholders
};

Result<Given> GiveSecrets(LocalState& state, const CreateRun& request, isolation::SessionSpec& spec) {
  RunSecrets secrets = WRIT_TRY("--secret", FetchSecrets(state, request));
  auto released = ReleasedOf(secrets);
  for (auto& entry : spec.env) crypto::Wipe(entry);
  spec.env = EnvironmentOf(request, released);
  for (auto& secret : released) crypto::Wipe(secret.value);
  return Given{std::move(secrets.redaction), std::move(secrets.edge)};
}

}  // namespace

Result<policy::Policy> LoadPolicy(LocalState& state, const CreateRun& request) {
  return policy::LoadLocal(request.policy_file.empty() ? std::nullopt : std::optional(request.policy_file),
                           state.env());
}

Result<Prepared> Prepare(LocalState& state, const CreateRun& request, std::string_view run_id, bool may_write) {
  Prepared prepared;
  prepared.options = OptionsOf(request);
  prepared.outputs = DeclaredOutputs(request);
  WRIT_TRY("outputs", workspace::CheckOutputs(prepared.outputs));
  prepared.backend = WRIT_TRY("--tier", FindBackend(state.options(), request.tier));
  prepared.place = WRIT_TRY("prepare", PlaceOf(state, may_write, !request.inputs.empty()));
  WRIT_TRY("--out-dir", session::CheckOutside(request.out_dir, prepared.place));
  prepared.given = WRIT_TRY("prepare",
                            session::Materialise(ToSources(request), prepared.place, run_id, state.clock()));
  prepared.spec = ToSpec(request);
  if (may_write) {
    Given given = WRIT_TRY("prepare", GiveSecrets(state, request, prepared.spec));
    prepared.redaction = std::move(given.redaction);
    prepared.edge = std::move(given.edge);
    WRIT_TRY("prepare", session::CheckWayTo(prepared.edge, request.network.asked, EgressRulesOf(request.network)));
  } else {
    WRIT_TRY("prepare", CheckSecretsExist(state, request));
  }
  WRIT_TRY("prepare", session::LendLayers(prepared.given, prepared.spec));
  return prepared;
}

std::vector<Json> BegunEvents(const contract::Contract& draft, const session::Materialised& given) {
  std::vector<Json> events;
  for (const auto& claim : draft.secrets) events.push_back(contract::event::SecretReleased(claim.name, claim.scope));
  for (auto& event : session::MaterialisedEvents(given)) events.push_back(std::move(event));
  return events;
}

}  // namespace writ::api
