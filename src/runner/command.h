#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/env.h"
#include "base/error.h"
#include "runner/options.h"

namespace writ::runner {

/// What `writ runner` was told: by its arguments, else by $WARRANT_PLANE_URL, $WARRANT_ENROLL_TOKEN, $WARRANT_POOL and
/// $WARRANT_RUNNER_DIR.
struct CommandSettings {
  Options options;  ///< without backends
  bool once = false, help = false;
  bool token_shown = false;  ///< a token stood on the command line, where everybody can read it
  std::string token_file, plane_key_file, policy_file;  ///< read by LoadFiles
};

/// The text of `--help`.
std::string_view CommandUsage();
/// Errors: kInvalid naming the argument.
Result<CommandSettings> ParseCommand(std::span<const std::string_view> arguments, const EnvLookup& env);
/// Reads the files that the settings name. Errors: those of reading, naming the option.
Result<> LoadFiles(CommandSettings& settings);

/// What the program provides.
struct CommandWiring {
  /// Starts the privileged helper and returns what runs jobs. Called before any thread exists.
  std::function<Result<std::vector<TierBackend>>(const std::string& directory)> start_backends;
  std::function<Result<>()> confine;  ///< gives up privilege, after the backends are there; empty: nothing
  std::function<Result<>(Options&)> adjust;  ///< last word of the program: probe digest, proxy, mock agent; may be empty
};

/// `writ runner`: until SIGTERM or SIGINT, which drain, or for one run. Returns the exit status: 0, 1 for errors (told as
/// `runner error: ...`), 2 for a wrong command line; with --once 3 when no run waited.
int CommandMain(std::span<const std::string_view> arguments, const EnvLookup& env, const CommandWiring& wiring);

}  // namespace writ::runner
