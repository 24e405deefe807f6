#pragma once

#include <string>
#include <vector>

#include "api/create_run.h"

namespace writ::api {

/// The options without a bound on their length.
std::vector<std::string> OptionWords(const CreateRun& request);

/// What `writ run` was asked for, apart from the network and the command: options in words, as a shell would pass them.
/// Precondition: CheckRequest passed. Empty when they are too long to be kept.
std::vector<std::string> OptionsOf(const CreateRun& request);

/// The options for a network, none when it is not asked for: `open`, then `--net` per rule (`--net-rule` for those about requests), then
/// the budget.
std::vector<std::string> NetworkOptions(const NetworkRequest& network);

/// One line for a POSIX shell: `writ run [options] -- COMMAND ARG...`. NOT escaped for a terminal.
std::string RepeatCommand(const std::vector<std::string>& options, const NetworkRequest& network,
                          const std::vector<std::string>& argv);

}  // namespace writ::api
