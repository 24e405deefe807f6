#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/create_run.h"
#include "api/local_plane.h"
#include "api/local_state.h"
#include "contract/execution.h"
#include "contract/parts.h"
#include "policy/policy.h"
#include "secrets/edge_secret.h"
#include "session/redaction.h"

namespace writ::api {

/// What a run is given of the caller's secrets: fetched before its contract, released by it.
struct RunSecrets {
  struct Value {
    std::string name;
    crypto::SecretBytes value;
  };
  std::vector<Value> values;                ///< for the environment, in the order asked
  std::vector<secrets::EdgeSecret> edge;    ///< bound to a host: the job gets the placeholder only
  session::Redaction redaction;             ///< of all of them; null when there are none
};

/// Reads what `request` names. Opens the store only if it names anything. Errors: kNotFound naming the secret and the
/// command that sets it; kInvalid when a value stands in the command line or in a literal variable, where the signed
/// contract would show it; those of the store and of the sources.
Result<RunSecrets> FetchSecrets(LocalState& state, const CreateRun& request);

/// Whether the store has every secret that `request` names, without reading sources. For a preview.
Result<> CheckSecretsExist(LocalState& state, const CreateRun& request);

/// name and scope as contract and events have them: the scope of the policy's rule, else `own`.
std::vector<contract::SecretClaim> ClaimsOf(const CreateRun& request, const policy::Policy& policy);

/// What the job gets, by name: values, and placeholders for those bound to a host. Wipe the values after use.
std::vector<contract::ReleasedSecret> ReleasedOf(const RunSecrets& secrets);

// The store of the state directory, for `writ secret`.
Result<std::vector<SecretView>> ListSecrets(LocalState& state);
Result<> SetSecrets(LocalState& state, std::vector<SecretDraft> drafts);
Result<> RemoveSecret(LocalState& state, std::string_view name);

}  // namespace writ::api
