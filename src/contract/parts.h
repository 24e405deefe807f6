#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "canon/json.h"

/// The small types that contracts, requests and handoff objects share (docs/formats/evidence.md). Each has ToJson and a
/// Decode function; Decode ignores unknown members and names the wrong one: `requestedBy.id: ...`. Lengths count
/// UTF-16 units, as the original does.
namespace writ::contract {

/// Who asked, approved or cancelled.
struct ActorRef {
  std::string kind = "human";  ///< "human" or "service"
  std::string id;              ///< 1 to 256
  bool operator==(const ActorRef&) const = default;
};
canon::Json ToJson(const ActorRef& actor);
Result<ActorRef> DecodeActor(const canon::Json& json, std::string_view path = "actor");

/// Kinds the protocol knows: claude-code, codex, pi, mock, command. Whether a kind may run is policy's business.
struct AgentSpec {
  std::string kind = "command";        ///< 1 to 64
  std::optional<std::string> version;  ///< at most 128
  bool operator==(const AgentSpec&) const = default;
};
bool IsKnownAgentKind(std::string_view kind);
canon::Json ToJson(const AgentSpec& agent);
Result<AgentSpec> DecodeAgent(const canon::Json& json, std::string_view path = "agent");

struct SecretClaim {
  std::string name;   ///< IsSecretName
  std::string scope;
  bool operator==(const SecretClaim&) const = default;
};
canon::Json ToJson(const SecretClaim& claim);
Result<SecretClaim> DecodeSecretClaim(const canon::Json& json, std::string_view path = "secret");

struct NetworkPolicy {
  bool default_deny = true;
  std::vector<std::string> allow_hosts;  ///< exact names; at most 1000
  bool operator==(const NetworkPolicy&) const = default;
};
canon::Json ToJson(const NetworkPolicy& network);
Result<NetworkPolicy> DecodeNetwork(const canon::Json& json, std::string_view path = "network");

struct Budget {
  std::optional<double> spend_usd_max;     ///< at least 0
  std::optional<double> duration_min_max;  ///< minutes, above 0
  bool operator==(const Budget&) const = default;
};
canon::Json ToJson(const Budget& budget);
Result<Budget> DecodeBudget(const canon::Json& json, std::string_view path = "budget");

/// Where a run that continues another piece of work came from.
struct Continuation {
  std::string envelope_hash;
  std::string checkpoint_id;  ///< 1 to 256
  std::string tier;           ///< "semantic" or "workspace"
  bool operator==(const Continuation&) const = default;
};
canon::Json ToJson(const Continuation& continuation);
Result<Continuation> DecodeContinuation(const canon::Json& json, std::string_view path = "continuation");

/// none, metadata-only, redacted, minimal-context, full.
bool IsDisclosureMode(std::string_view mode);

/// policy_denied, consent_timeout, capability_mismatch, ... (docs/formats/evidence.md).
bool IsFailureClass(std::string_view failure);

}  // namespace writ::contract
