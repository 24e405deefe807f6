#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/create_run.h"
#include "base/error.h"
#include "cli/parse.h"

namespace writ::cli {

/// What the options of `writ run` say, apart from descriptors and the caller, which the command adds.
struct RunOptions {
  api::CreateRun request;
  bool interactive = false, terminal = false, dry_run = false, json = false, quiet = false;
  std::vector<std::string> warnings;  ///< one line each, safe to print
};

/// Looks up a variable of the caller's environment.
using CallerEnv = std::function<std::optional<std::string>(std::string_view name)>;

/// Reads the options of `writ run`, or of `writ learn`, whose network is open. Errors: kInvalid naming the option, its value and what would be right.
Result<RunOptions> ReadRunOptions(const Invocation& invocation, const CallerEnv& caller_env);

/// Whether a variable of this name usually holds a secret: a word of it is PASSWORD, TOKEN, SECRET, ...
bool LooksSecret(std::string_view variable_name);

}  // namespace writ::cli
