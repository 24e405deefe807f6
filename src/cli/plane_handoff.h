#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "cli/context.h"
#include "client/planner.h"
#include "client/submit.h"

namespace writ::cli {

/// --continuation-policy, else continuation.json of the configuration directory, else the defaults. Errors: kInvalid;
/// those of the file.
Result<client::ContinuationPolicy> ReadContinuationPolicy(const Context& context);

/// What the own continuation policy forbids. Returns 122.
int SayPlanDenied(Context& context, const std::vector<std::string>& denials);

/// Adds blobs that exist in memory only.
void AddBlobs(const std::vector<std::string>& blobs, std::vector<client::Upload>& uploads);

}  // namespace writ::cli
