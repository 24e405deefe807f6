#pragma once

#include <string>
#include <vector>

#include "api/create_run.h"
#include "base/error.h"
#include "canon/json.h"
#include "contract/execution.h"
#include "contract/extension.h"
#include "contract/parts.h"
#include "policy/egress.h"
#include "policy/egress_ceiling.h"

namespace writ::api {

// The network part of a request in the words of the layers below (docs/formats/egress.md).

/// Bounds and readability. Errors: kInvalid with the text of policy::ParseEgressRule, or when parts contradict.
Result<> CheckNetwork(const NetworkRequest& network);

// Precondition of the rest: CheckNetwork passed.

/// `contract.writ.egress`; absent when no way out was asked for. A rule that is named twice stands once.
std::optional<contract::EgressGrant> EgressGrantOf(const NetworkRequest& network);

/// What policy is asked; absent when no way out was asked for. All hosts are asked for here, none as in the original
/// protocol, whose names know no port.
std::optional<policy::EgressAsk> EgressAskOf(const NetworkRequest& network);

/// The rules that a checked request asks for; without a network those that grant nothing.
policy::EgressRules EgressRulesOf(const NetworkRequest& network);

/// `contract.network`, for readers that know nothing but the original protocol: names that are granted with every port
/// and every request.
contract::NetworkPolicy NetworkPolicyOf(const NetworkRequest& network);

/// The usual variables that lead clients to the proxy inside the cell, lower case too; nothing when no way out was asked
/// for. They are a convenience: a job that ignores or overwrites them is judged the same way.
contract::EnvList ProxyEnvironment(const NetworkRequest& network);

/// For the digest of a request; an empty object when no way out was asked for.
canon::Json NetworkJson(const NetworkRequest& network);

}  // namespace writ::api
