#pragma once

#include <string>
#include <vector>

#include "api/run_result.h"
#include "canon/json.h"
#include "client/evidence.h"

namespace writ::cli {

/// An ended run of a plane in the form in which `writ run` reports local ones: everything from its bundle. Members that a
/// runner of the original protocol does not report are empty. Never fails; `exit_code` is 125 when the evidence has problems.
api::RunResult ResultOf(const client::Evidence& evidence);

/// The problems and warnings of the evidence, one line each, to be escaped; the first use of a key is one of them.
std::vector<std::string> EvidenceLines(const client::Evidence& evidence);

/// {ok, pinned, firstUse, planeKeyId, problems, warnings}
canon::Json EvidenceJson(const client::Evidence& evidence);

/// A decision of a plane's policy as `writ run` reports one.
api::DecisionView PlaneDecision(api::Verdict verdict, std::vector<std::string> reasons, std::string_view plane_url);

}  // namespace writ::cli
