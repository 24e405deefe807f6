#pragma once

#include <string>

#include "api/create_run.h"
#include "api/run_result.h"
#include "canon/json.h"

namespace writ::cli {

/// What `writ run --dry-run` prints: the decision, what the run could see, its limits, and the contract that would be
/// signed. Every name is escaped. `own_stdin`: the job would read the caller's stdin.
std::string RenderPreview(const api::Preview& preview, const api::CreateRun& request, bool own_stdin);
canon::Json PreviewJson(const api::Preview& preview);
/// Exit status: 0 it would run, 122 denied, 123 needs approval, 125 this host cannot.
int PreviewStatus(const api::Preview& preview);

}  // namespace writ::cli
