#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "contract/contract.h"
#include "contract/execution.h"
#include "contract/extension.h"
#include "isolation/backend.h"
#include "runner/options.h"
#include "secrets/edge_secret.h"
#include "session/redaction.h"
#include "workspace/collect.h"

namespace writ::runner {

/// A contract in the words of a backend. Everything follows from the contract, the operator's options and the secrets.
struct Job {
  isolation::SessionSpec spec;  ///< without layers of workspace and inputs
  isolation::Backend* backend = nullptr;
  Limits asked;  ///< what the contract asks for, where `spec` has room for what the runner itself needs
  std::string execution_hash;
  session::Redaction redaction;
  std::vector<secrets::EdgeSecret> edge;  ///< for the proxy; the job has their placeholders
  std::optional<contract::ContractExtension> writ;  ///< absent: a contract of the original protocol
  std::vector<workspace::DeclaredOutput> outputs;
  std::optional<std::uint64_t> log_bytes_max;
  bool budget_time = false;  ///< the time limit comes from the contract's budget
};

/// The environment of a job (docs/formats/evidence.md): for contracts of the original protocol exactly PATH, HOME and proxy
/// variables, then secrets, then what the contract names; else also TMPDIR, LANG and TZ, and what the local door gives.
/// `agent_bin` is the directory inside the guest that comes first in PATH; empty: none.
std::vector<std::string> JobEnvironment(const contract::PreparedExecution& prepared, const std::vector<contract::ReleasedSecret>& secrets,
                                        const Options& options, bool plain, bool network, const std::string& agent_bin);

/// `secret_hosts`: of the secrets that the job is not to hold, the host that each is for.
/// Errors: kUnavailable with the text of a `capability_mismatch`: no backend for the tier or several, one that cannot run
/// this execution, what only a local run can be given; kInvalid for a contract that cannot be read.
Result<Job> PrepareJob(const contract::Contract& contract, const std::vector<contract::ReleasedSecret>& secrets,
                       const std::map<std::string, std::string>& secret_hosts, const Options& options);

/// Agent kinds that this runner can start, for its claims.
std::vector<std::string> AgentKinds(const Options& options);

}  // namespace writ::runner
