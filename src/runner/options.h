#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/env.h"
#include "base/limits.h"
#include "contract/execution.h"
#include "egress/upstream_proxy.h"
#include "isolation/backend.h"
#include "policy/policy.h"
#include "session/fault_point.h"
#include "session/inherit.h"

namespace writ::runner {

/// One tier that a runner offers. Exactly one per tier name.
struct TierBackend {
  std::unique_ptr<isolation::Backend> backend;
  /// Whether it can run this execution; empty: as the built-in tiers, which run everything but the agent kind `pi`.
  std::function<bool(const contract::ExecutionSpec&)> can_run = {};
};

/// A vendor's unmodified agent program. Its directory is shown read-only at /opt/agents, and `bin` below it comes first
/// in the job's PATH.
struct AgentInstall {
  std::string kind;       ///< claude-code or codex
  std::string directory;  ///< absolute, on the host; holds the program and all its files
  std::string bin = ".";  ///< where the program is, relative to `directory`
};

/// The mock agent, for tests: `program` below `directory`, with these first arguments.
struct MockAgent {
  std::string directory, program;
  std::vector<std::string> arguments = {"mock-agent"};
};

struct Options {
  std::string plane_url;     ///< http://HOST:PORT or https://...
  std::string pool = "default";
  std::string enroll_token;  ///< empty: an identity must be there already
  std::string dir = ".warrant-runner";
  std::uint32_t concurrency = 1;  ///< runs at a time; at least 1
  std::map<std::string, std::string> labels;
  std::string plane_key;     ///< the plane's public key PEM, or its key id: what the plane tells must be this key
  std::string ca_file, client_cert_file, client_key_file;  ///< PEM files; empty: the system's authorities, no certificate

  std::vector<TierBackend> backends;
  std::vector<AgentInstall> agents;
  std::optional<MockAgent> mock;

  EnvLookup env;                      ///< proxies, and what contracts may inherit; empty: none
  session::InheritRule inherit;       ///< the operator's list
  isolation::Mechanisms accepted = {{"memory", "rlimit"}, {"pids", "rlimit"}, {"cpus", "affinity"}, {"cpu-time", "rlimit"},
                                    {"groups", "kept"}};  ///< for contracts that say nothing about limits
  Limits limits;                      ///< of contracts that say nothing about limits; `policy` may lower them
  /// The operator's own: a contract that asks for more ends as `policy_denied` before anything is fetched (runner/ceiling.h).
  /// Absent: whatever the plane signs and the tier can enforce.
  std::optional<policy::Policy> policy;
  std::optional<egress::UpstreamProxy> upstream_proxy;
  std::string probe_digest;           ///< of the host's probe report; empty: none
  std::uint64_t cache_bytes_max = 4ull << 30;  ///< of fetched blobs
  std::uint64_t blob_bytes_max = 2ull << 30;   ///< of one fetched blob

  Millis poll_interval{1000};   ///< between claims, at a plane without long polling
  Millis poll_wait{5000};       ///< how long a plane may hold a claim back; Stop ends it earlier
  Millis enroll_retry{2000}, enroll_patience{60'000};
  Millis plain_claim_life{10 * 60'000};  ///< of a claim of the original plane, which says nothing of leases
  Millis first_backoff{100};    ///< between attempts to reach the plane; doubles up to 2 s

  const Clock* clock = nullptr;  ///< null: the machine's
  session::FaultHook fault;      ///< tests only
  /// Takes one line for the operator, without its end; called from any thread. Empty: standard error.
  std::function<void(const std::string&)> say;
};

}  // namespace writ::runner
