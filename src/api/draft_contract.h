#pragma once

#include <string>
#include <vector>

#include "api/create_run.h"
#include "api/run_result.h"
#include "base/error.h"
#include "canon/json.h"
#include "contract/contract.h"
#include "isolation/backend.h"
#include "policy/decision.h"
#include "policy/policy.h"
#include "policy/request.h"
#include "session/materialise.h"
#include "workspace/collect.h"

namespace writ::api {

// A request in the words of the layers below. Precondition for all: CheckRequest passed.

policy::Request ToPolicyRequest(const CreateRun& request);
DecisionView ToView(const policy::Decision& decision, const policy::Policy& policy);

/// What a decision that leads to no contract is about: a digest of the request as it was asked.
Result<std::string> DigestOfRequest(const CreateRun& request);

std::vector<workspace::DeclaredOutput> DeclaredOutputs(const CreateRun& request);
session::Sources ToSources(const CreateRun& request);

/// The complete environment, "NAME=VALUE": PATH, HOME, TMPDIR, LANG and TZ, the same for everybody; the proxy
/// variables when a way out was asked for; then every released
/// secret under its own name, then what was asked and the secrets mapped to other names (contract::ResolveEnvironment).
std::vector<std::string> EnvironmentOf(const CreateRun& request, const std::vector<contract::ReleasedSecret>& released);

/// The session without its layers, its standard input and its secrets: argv, environment, limits.
isolation::SessionSpec ToSpec(const CreateRun& request);

/// The contract of a local run (docs/formats/evidence.md) without times, issuer and decision.
/// Errors: kInvalid when the host cannot be described.
Result<contract::Contract> DraftContract(const CreateRun& request, const session::Materialised& given,
                                         const policy::Policy& policy, std::string run_id);

/// executionHash of the contract's execution.
Result<std::string> ExecutionHashOf(const CreateRun& request);

}  // namespace writ::api
