#include "contract/event.h"

#include <utility>

namespace writ::contract::event {

using canon::Json;

Json RunCreated() { return Json::Of({{"type", "run.created"}}); }

Json CheckpointCreated(std::string_view checkpoint_id, std::string_view tier) {
  return Json::Of({{"type", "checkpoint.created"}, {"checkpointId", checkpoint_id}, {"tier", tier}});
}

Json PolicyEvaluated(std::string_view decision, std::string_view reason) {
  return Json::Of({{"type", "policy.evaluated"}, {"decision", decision}, {"reason", reason}});
}

Json ConsentRequested(std::string_view requirement) {
  return Json::Of({{"type", "consent.requested"}, {"requirement", requirement}});
}

Json ConsentGranted(const ActorRef& actor) {
  return Json::Of({{"type", "consent.granted"}, {"actor", ToJson(actor)}});
}

Json RunClaimed(std::string_view runner_id, std::string_view runner_key_id) {
  return Json::Of({{"type", "run.claimed"}, {"runnerId", runner_id}, {"runnerKeyId", runner_key_id}});
}

Json SecretReleased(std::string_view name, std::string_view scope) {
  return Json::Of({{"type", "secret.released"}, {"name", name}, {"scope", scope}});
}

Json WorkspaceMaterialized(std::string_view manifest_hash) {
  return Json::Of({{"type", "workspace.materialized"}, {"manifestHash", manifest_hash}});
}

Json NetworkConnected(std::string_view host, bool allowed) {
  return Json::Of({{"type", "network.connected"}, {"host", host}, {"decision", allowed ? "allowed" : "blocked"}});
}

Json CommandExecuted(std::string_view argv_hash, int exit_code) {
  return Json::Of({{"type", "command.executed"}, {"argvHash", argv_hash}, {"exitCode", exit_code}});
}

Json FileChanged(std::string_view path, std::string_view content_hash) {
  return Json::Of({{"type", "file.changed"}, {"path", path}, {"contentHash", content_hash}});
}

Json ArtifactCreated(std::string_view kind, std::string_view hash) {
  return Json::Of({{"type", "artifact.created"}, {"kind", kind}, {"hash", hash}});
}

Json BoundaryCrossed(std::string_view direction, std::string_view content_hash, std::string_view data_class) {
  return Json::Of({{"type", "boundary.crossed"}, {"direction", direction}, {"contentHash", content_hash}, {"dataClass", data_class}});
}

Json ModelCalled(std::string_view provider, std::string_view model) {
  return Json::Of({{"type", "model.called"}, {"provider", provider}, {"model", model}});
}

Json RunCompleted() { return Json::Of({{"type", "run.completed"}}); }

Json RunFailed(std::string_view failure, std::string_view message) {
  return Json::Of({{"type", "run.failed"}, {"failure", failure}, {"message", message}});
}

Json RunCancelled(const ActorRef& actor) { return Json::Of({{"type", "run.cancelled"}, {"actor", ToJson(actor)}}); }

Json Extension(std::string_view type, Json facts) {
  Json::Object members{{"v", 1}};
  for (const Json::Member& fact : facts.object()) members.push_back(fact);
  return Json::Of({{"type", type}, {"writ", Json::FromObject(std::move(members))}});
}

void StampMonotonic(Json& event, std::int64_t mono_us) {
  const Json* present = event.Find("writ");
  Json writ = present != nullptr && present->is_object() ? *present : Json::Of({{"v", 1}});
  writ.Set("monoUs", mono_us);
  event.Set("writ", std::move(writ));
}

}  // namespace writ::contract::event
