#pragma once

#include <span>
#include <string_view>

#include "base/env.h"

namespace writ::cli {

/// The agent of kind `mock`, which tests of planes and runners ask for: `writ mock-agent PROMPT`, inside a cell. It appends
/// the task to MOCK_AGENT.md in its directory and says what it does; `network` in the prompt makes it ask the proxy of
/// $HTTP_PROXY for http://$MOCK_PROBE_HOST/probe, `fail` makes it fail. Not a command for people: it is listed nowhere.
/// Returns the exit status.
int MockAgent(std::span<const std::string_view> arguments, const EnvLookup& env);

}  // namespace writ::cli
