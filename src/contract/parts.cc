#include "contract/parts.h"

#include <algorithm>
#include <array>

#include "contract/object_reader.h"
#include "contract/validators.h"

namespace writ::contract {

using canon::Json;

namespace {

constexpr std::size_t kHostsMax = 1000;
constexpr std::array<std::string_view, 5> kAgentKinds = {"claude-code", "codex", "pi", "mock", "command"};
constexpr std::array<std::string_view, 5> kDisclosureModes = {"none", "metadata-only", "redacted", "minimal-context", "full"};
constexpr std::array<std::string_view, 10> kFailureClasses = {
    "policy_denied",  "consent_timeout", "capability_mismatch", "attestation_failed",   "secret_release_denied",
    "capture_failed", "transfer_failed", "session_failed",      "side_effect_conflict", "budget_exceeded"};

bool IsOneOf(std::string_view text, const auto& words) { return std::ranges::find(words, text) != words.end(); }

}  // namespace

bool IsKnownAgentKind(std::string_view kind) { return IsOneOf(kind, kAgentKinds); }
bool IsDisclosureMode(std::string_view mode) { return IsOneOf(mode, kDisclosureModes); }
bool IsFailureClass(std::string_view failure) { return IsOneOf(failure, kFailureClasses); }

Json ToJson(const ActorRef& actor) { return Json::Of({{"kind", actor.kind}, {"id", actor.id}}); }

Result<ActorRef> DecodeActor(const Json& json, std::string_view path) {
  ActorRef actor;
  ObjectReader reader(json, path);
  reader.Text("kind", actor.kind, 1, 64);
  if (actor.kind != "human" && actor.kind != "service") reader.Refuse("kind", "must be \"human\" or \"service\"");
  reader.Text("id", actor.id, 1, 256);
  if (auto done = reader.Finish(); !done) return std::unexpected(std::move(done).error());
  return actor;
}

Json ToJson(const AgentSpec& agent) {
  Json json = Json::Of({{"kind", agent.kind}});
  if (agent.version) json.Set("version", *agent.version);
  return json;
}

Result<AgentSpec> DecodeAgent(const Json& json, std::string_view path) {
  AgentSpec agent;
  ObjectReader reader(json, path);
  reader.Text("kind", agent.kind, 1, 64);
  reader.Text("version", agent.version, 0, 128);
  if (auto done = reader.Finish(); !done) return std::unexpected(std::move(done).error());
  return agent;
}

Json ToJson(const SecretClaim& claim) { return Json::Of({{"name", claim.name}, {"scope", claim.scope}}); }

Result<SecretClaim> DecodeSecretClaim(const Json& json, std::string_view path) {
  SecretClaim claim;
  ObjectReader reader(json, path);
  reader.Text("name", claim.name, 1, 256);
  reader.Text("scope", claim.scope, 0, 1024);
  if (auto done = reader.Finish(); !done) return std::unexpected(std::move(done).error());
  return claim;
}

Json ToJson(const NetworkPolicy& network) {
  Json::Array hosts(network.allow_hosts.begin(), network.allow_hosts.end());
  return Json::Of({{"defaultDeny", network.default_deny}, {"allowHosts", std::move(hosts)}});
}

Result<NetworkPolicy> DecodeNetwork(const Json& json, std::string_view path) {
  NetworkPolicy network;
  ObjectReader reader(json, path);
  reader.Bool("defaultDeny", network.default_deny);
  reader.Texts("allowHosts", network.allow_hosts, kHostsMax, 1024);
  if (auto done = reader.Finish(); !done) return std::unexpected(std::move(done).error());
  return network;
}

Json ToJson(const Budget& budget) {
  Json json = Json::MakeObject();
  if (budget.spend_usd_max) json.Set("maxSpendUsd", *budget.spend_usd_max);
  if (budget.duration_min_max) json.Set("maxDurationMin", *budget.duration_min_max);
  return json;
}

Result<Budget> DecodeBudget(const Json& json, std::string_view path) {
  Budget budget;
  ObjectReader reader(json, path);
  reader.Number("maxSpendUsd", budget.spend_usd_max, 0, true);
  reader.Number("maxDurationMin", budget.duration_min_max, 0, false);
  if (auto done = reader.Finish(); !done) return std::unexpected(std::move(done).error());
  return budget;
}

Json ToJson(const Continuation& continuation) {
  return Json::Of({{"envelopeHash", continuation.envelope_hash},
                   {"checkpointId", continuation.checkpoint_id},
                   {"tier", continuation.tier}});
}

Result<Continuation> DecodeContinuation(const Json& json, std::string_view path) {
  Continuation continuation;
  ObjectReader reader(json, path);
  reader.Hash("envelopeHash", continuation.envelope_hash);
  reader.Text("checkpointId", continuation.checkpoint_id, 1, 256);
  reader.Text("tier", continuation.tier, 1, 64);
  if (continuation.tier != "semantic" && continuation.tier != "workspace") {
    reader.Refuse("tier", "must be \"semantic\" or \"workspace\"");
  }
  if (auto done = reader.Finish(); !done) return std::unexpected(std::move(done).error());
  return continuation;
}

}  // namespace writ::contract
