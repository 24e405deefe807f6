#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "cli/parse.h"
#include "cli/run_options.h"
#include "client/run_ask.h"

namespace writ::cli {

/// What the options of `writ submit`, `continue` and `fanout` ask for, apart from the workspace, which is captured later.
struct AskOptions {
  client::RunAsk ask;
  std::string repository;  ///< empty: --no-workspace
  std::vector<std::string> allow_untracked, deny;
  bool deny_tracked = false, dry_run = false, wait = false;
  bool pool_named = false, agent_named = false;
  std::vector<std::string> warnings;
};
/// `requested_by`: who asks. Errors: kInvalid naming the option.
Result<AskOptions> ReadAskOptions(const Invocation& invocation, std::string_view requested_by);

/// The request of `writ run --plane`: its options as ReadRunOptions read them, as far as a plane carries them, without what
/// has to be read and uploaded (inputs, stdin, workspace). Always asks
/// for the extension, because tier and limits are part of what `writ run` promises.
/// Errors: kInvalid naming the first option that a plane cannot carry, and why.
Result<AskOptions> AskOfRun(const Invocation& invocation, const RunOptions& options, std::string_view requested_by);

}  // namespace writ::cli
