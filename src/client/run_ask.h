#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "canon/json.h"
#include "contract/execution.h"
#include "contract/extension.h"
#include "contract/manifest.h"
#include "contract/parts.h"

namespace writ::client {

/// Everything a client asks of a plane for one run: a plain value that RequestJson writes as the protocol has it.
struct RunAsk {
  contract::ActorRef requested_by;
  contract::AgentSpec agent;
  std::string prompt;                          ///< 1 to 1000000 UTF-16 units
  std::string pool = "default";
  std::vector<std::string> secrets;
  contract::WorkspaceManifest workspace = contract::EmptyManifest();
  contract::NetworkPolicy network;             ///< default_deny stays true: a request never opens everything
  contract::Budget budget;
  std::string disclosure = "minimal-context";
  std::optional<contract::ExecutionSpec> execution;
  std::optional<std::string> isolation;        ///< process, hermetic, vercel-sandbox; absent means process
  std::optional<contract::Continuation> continuation;
  std::optional<contract::RequestExtension> writ;  ///< absent: a request that every plane understands
};

/// Checks names, hosts and bounds before anything is sent. Hosts come back normalised. Errors: kInvalid naming the part.
Result<RunAsk> CheckAsk(RunAsk ask);

/// The `request` member of POST /v1/runs (docs/formats/plane-client.md).
canon::Json RequestJson(const RunAsk& ask);

/// Whether a plane's echo of `writ` has every member that was asked for, with the value that was asked. A plane that
/// does not know the extension echoes nothing and would start the run without its limits.
bool EchoCovers(const canon::Json* echo, const canon::Json& asked);

/// What of a contract is not what was asked: one sentence per member, empty when it is. Only what the plane adds by
/// itself (times, ids, policy, scopes) is free; limits may be lower, hosts and secrets fewer.
std::vector<std::string> Mismatches(const canon::Json& contract, const RunAsk& ask);

}  // namespace writ::client
