#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "cli/plane_ask.h"
#include "client/submit.h"

namespace writ::cli {

/// What goes along with a request: set into `options.ask.workspace`, and to be uploaded first. Starts git, so it comes
/// before this process is confined. Without a repository there is nothing to send.
/// Errors: those of capturing, with what to do about them.
Result<std::vector<client::Upload>> CaptureWorkspace(AskOptions& options, const std::string& state_directory);

}  // namespace writ::cli
