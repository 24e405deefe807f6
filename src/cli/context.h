#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/local_plane.h"
#include "base/env.h"
#include "base/error.h"
#include "canon/json.h"
#include "cli/parse.h"
#include "isolation/backend.h"
#include "secrets/credentials.h"

namespace writ::cli {

/// Whether this process opens connections itself.
enum class Network : bool { kNone, kOut };

/// What main.cc knows and commands need: how isolation is started here.
struct Wiring {
  /// Starts the privileged helper and returns a backend per tier. Called at most once, before anything else happens:
  /// no thread, no store, no signal handler exists yet.
  std::function<Result<std::vector<std::unique_ptr<isolation::Backend>>>()> start_backends;
  /// Gives up every privilege this process holds. Called after start_backends, before hostile bytes are read.
  std::function<Result<>(Network)> confine;
};

/// One command on its way. Everything is borrowed.
struct Context {
  const Invocation& invocation;
  const Wiring& wiring;
  EnvLookup env;
  std::shared_ptr<const secrets::Credentials> credentials;  ///< taken out of the environment; never null

  bool json() const { return invocation.Has("json"); }
  std::string_view operand(std::size_t index) const {
    return index < invocation.operands.size() ? invocation.operands[index] : std::string_view{};
  }
};

/// A plane for commands that run nothing.
std::unique_ptr<api::LocalPlane> OpenPlane();

// What a command prints. stdout carries the answer, stderr everything else; each function returns an exit status.

/// Writes the answer. 0, or 1 when stdout cannot take it.
int Print(const Context& context, std::string_view text);
/// One JSON object on one line.
int PrintJson(const Context& context, const canon::Json& json);
/// `writ: COMMAND: what went wrong` on one line of stderr, escaped; with --json also {"error": {"code", "message"}} on
/// stdout. Returns `status`.
int Complain(const Context& context, const Error& error, int status = 1);
/// `writ: COMMAND: text` on stderr; `text` is escaped.
void Warn(const Context& context, std::string_view text);
/// The same for a command line that was not understood. Returns the command's exit status for that.
int ComplainAboutUsage(const UsageError& error);

/// The error as one escaped line: messages that list several problems are joined by "; ".
std::string OneLine(std::string_view message);

/// A number given with an option, or `fallback`. Errors: kInvalid naming the option.
Result<std::uint64_t> CountOption(const Context& context, std::string_view option, std::uint64_t fallback, std::uint64_t max);
inline constexpr Millis kNoLimit{0};  ///< a fallback for how long to wait
Result<Millis> DurationOption(const Context& context, std::string_view option, Millis fallback);

}  // namespace writ::cli
