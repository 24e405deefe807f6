#pragma once

#include <optional>
#include <string>
#include <vector>

#include "canon/json.h"
#include "contract/execution.h"
#include "contract/extension.h"
#include "contract/manifest.h"
#include "contract/parts.h"
#include "plane/refusal.h"

namespace writ::plane {

/// What a client asks of a plane, checked and bounded (docs/formats/plane.md, "Requesting a run"). Members that are not
/// listed there have been dropped; hosts are in their normal form. Policy has not been asked.
struct RunRequest {
  contract::ActorRef requested_by;
  contract::AgentSpec agent;  ///< any kind of 1 to 64 characters; policy decides
  std::string prompt;
  std::string pool;
  std::vector<std::string> secret_names;
  contract::WorkspaceManifest workspace;
  contract::NetworkPolicy network;
  contract::Budget budget;
  std::string disclosure = "none";
  std::optional<contract::ExecutionSpec> execution;
  std::optional<std::string> isolation;  ///< process, hermetic, vercel-sandbox
  std::optional<contract::Continuation> continuation;
  std::optional<contract::RequestExtension> writ;
};

struct Submission {
  RunRequest request;
  bool dry_run = false;
};

/// Reads the body of POST /v1/runs. Errors: 400 with one issue for each member that is wrong,
/// `request.path.to.member: text`, in the order of the members.
Answer<Submission> DecodeSubmission(const canon::Json& body);

/// The execution of the request, or what its absence means.
contract::ExecutionSpec ExecutionOf(const RunRequest& request);

}  // namespace writ::plane
