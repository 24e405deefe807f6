#pragma once

#include "api/run_result.h"
#include "cli/context.h"
#include "cli/plane_link.h"
#include "client/evidence.h"

namespace writ::cli {

/// The object of `writ run --json` for a run of a plane, with what was kept of its streams. Returns the run's exit status.
int AnswerRunInJson(Context& context, PlaneLink& link, const client::Evidence& evidence, const api::RunResult& result);

/// The end of a run that was waited for: problems, summary or JSON. Returns the run's exit status.
int ReportRun(Context& context, PlaneLink& link, const client::Evidence& evidence);

}  // namespace writ::cli
