#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "canon/json.h"
#include "contract/parts.h"

namespace writ::contract {

/// Names with values, in order; names are unique.
using EnvList = std::vector<std::pair<std::string, std::string>>;

enum class ExecutionKind : std::uint8_t { kShell, kArgv, kAgent };
std::string_view ExecutionKindName(ExecutionKind kind);  ///< "shell", "argv", "agent"

struct EnvSpec {
  struct Mapping {
    std::string env, secret_name;
    bool operator==(const Mapping&) const = default;
  };
  std::vector<std::string> inherit;  ///< names taken from the runner's environment; at most 256
  std::vector<Mapping> secrets;      ///< at most 256
  EnvList vars;                      ///< at most 10000
  std::optional<bool> egress_proxy;
  bool operator==(const EnvSpec&) const = default;
};

struct LogSpec {
  std::string stderr_mode = "merge";       ///< "merge" or "capture"
  std::optional<std::uint64_t> bytes_max;  ///< above 0
  bool operator==(const LogSpec&) const = default;
};

/// What a contract asks to be executed (docs/formats/evidence.md). Only the members of its kind are used.
struct ExecutionSpec {
  ExecutionKind kind = ExecutionKind::kShell;
  std::string script;                      ///< shell
  std::optional<std::string> shell;        ///< shell: "sh" or "bash"
  std::string command;                     ///< argv
  std::vector<std::string> args;           ///< argv
  AgentSpec agent;                         ///< agent
  std::string prompt;                      ///< agent
  std::optional<std::string> cwd;          ///< shell and argv
  std::optional<std::uint64_t> timeout_ms; ///< above 0
  std::optional<EnvSpec> env;
  std::optional<LogSpec> log;
  bool operator==(const ExecutionSpec&) const = default;
};
canon::Json ToJson(const ExecutionSpec& spec);
/// Strict: an unknown member is an error. Errors: kInvalid naming the member.
Result<ExecutionSpec> DecodeExecution(const canon::Json& json, std::string_view path = "execution");

/// What runs when a request names no execution: the prompt as a shell script for kind `command`, else the agent.
ExecutionSpec DefaultExecution(const AgentSpec& agent, std::string_view prompt);

/// What a runner brings to a preparation.
struct RunnerSide {
  EnvList environment;               ///< of the runner; EnvSpec::inherit picks from it
  std::vector<std::string> mock;     ///< program and first arguments of the mock agent; empty: there is none
};

/// An execution ready to be started: agents have become argv, defaults are filled in.
struct PreparedExecution {
  ExecutionKind kind = ExecutionKind::kShell;  ///< kShell or kArgv
  std::string script, shell;                   ///< kShell
  std::string cmd;                             ///< kArgv
  std::vector<std::string> args;               ///< kArgv
  std::string cwd = ".";
  std::uint64_t timeout_ms = 600000;
  std::optional<std::uint64_t> log_bytes_max;
  EnvList env;                                 ///< inherit, vars, mappings; secrets as placeholders
  bool egress_proxy = true;
  bool operator==(const PreparedExecution&) const = default;
};
canon::Json ToJson(const PreparedExecution& prepared);

/// Errors: kInvalid for an agent kind that is not known; kUnavailable for the mock agent when the runner has none.
Result<PreparedExecution> Prepare(const ExecutionSpec& spec, const Budget& budget, const RunnerSide& runner);

/// `executionHash`, the `argvHash` of command.executed: hash of the prepared kind, command and cwd. Timeout,
/// environment and log are not part of it. Errors: those of canon::Canonical.
Result<std::string> ExecutionHash(const PreparedExecution& prepared);

/// Whether the process tier can run it. Agent kind `pi` is a placeholder for a harness and is never spawned.
bool SupportedByProcessTier(const ExecutionSpec& spec);
/// `backend "T" cannot run KIND execution for agent "A"`
std::string UnsupportedText(std::string_view backend, const ExecutionSpec& spec, std::string_view agent_kind);

struct ReleasedSecret {
  std::string name, value;
};
/// Environment additions of a job: every released secret under its own name (the last of a name wins), then the
/// prepared variables; a placeholder becomes the first released secret of its name, or is dropped.
EnvList ResolveEnvironment(const EnvList& prepared, const std::vector<ReleasedSecret>& secrets);

/// Sets or replaces a name, keeping the place of the first.
void SetEnv(EnvList& list, std::string_view name, std::string_view value);

}  // namespace writ::contract
