#pragma once

#include <memory>

#include "isolation/backend.h"
#include "isolation/process/jail_client.h"

namespace writ::isolation::process {

/// Launches a guest through `jail` and waits until it runs or could not be started.
/// Errors: kUnavailable, kExhausted, ... with the step of the cell that failed; nothing of the guest ran.
Result<std::unique_ptr<Session>> StartProcessSession(std::shared_ptr<JailClient> jail, SessionSpec spec, OutputSink& sink);

}  // namespace writ::isolation::process
