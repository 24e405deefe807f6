#include "contract/story.h"

#include <fmt/format.h>

#include <string_view>

#include "contract/evidence_text.h"
#include "contract/extension.h"
#include "contract/names.h"

namespace writ::contract {

using canon::Json;

namespace {

std::string ShortOf(const Json& object, std::string_view name) { return std::string(ShortHash(TextOf(object, name))); }

std::string ActorPair(const Json* actor) { return fmt::format("{}:{}", TextOf(actor, "kind"), TextOf(actor, "id")); }

const Json* Inside(const Json& object, std::string_view outer, std::string_view inner) {
  const Json* member = object.Find(outer);
  return member == nullptr ? nullptr : member->Find(inner);
}

/// `[line(item), ...]` over an array member.
template <class Line>
Json Lines(const Json& object, std::string_view name, Line line) {
  Json::Array lines;
  if (const Json* items = object.Find(name); items != nullptr && items->is_array()) {
    for (const Json& item : items->array()) lines.emplace_back(line(item));
  }
  return lines;
}

std::string NumberText(const Json* number) { return number == nullptr ? "?" : canon::Compact(*number); }

EventSummary SummariseExtension(const std::string& type, const Json& event) {
  const Json* facts = event.Find(kExtension);
  std::string detail;
  if (facts != nullptr && facts->is_object()) {
    for (const auto& [name, value] : facts->object()) {
      if (name == "v" || name == "monoUs") continue;
      if (!detail.empty()) detail += ' ';
      detail += fmt::format("{}={}", name, value.is_string() ? value.string() : canon::Compact(value));
    }
  }
  const bool warns = type == "writ.limit.reached" || type == "writ.stream.truncated" || type == "writ.output.missing" ||
                     type == "writ.output.undeclared" || type == "writ.workspace.changed" || type == "writ.access.refused" ||
                     type == "writ.run.interrupted" || type == "writ.workspace.flagged";
  return {warns ? "warn" : "info", type, detail};
}

}  // namespace

Json ReceiptStory(const Json& contract, const Json& receipt) {
  const Json* isolation = Inside(receipt, "runner", "isolation");
  const Json* artifacts = Inside(receipt, "workspaceOut", "artifactHashes");
  const Json* count = receipt.Find("eventCount");
  Json story = Json::Of({
      {"runId", TextOf(&receipt, "runId")},
      {"status", TextOf(&receipt, "status")},
      {"actor", ActorPair(contract.Find("requestedBy"))},
      {"agent", TextOf(contract.Find("agent"), "kind")},
      {"isolation", isolation != nullptr && isolation->is_string() ? *isolation : Json("process")},
      {"workspace", Json::Of({{"baseRef", TextOf(receipt.Find("workspaceIn"), "baseRef")},
                              {"manifestHash", TextOf(receipt.Find("workspaceIn"), "manifestHash")},
                              {"diffHash", TextOf(receipt.Find("workspaceOut"), "diffHash")},
                              {"artifactCount", artifacts != nullptr && artifacts->is_array() ? artifacts->array().size() : 0}})},
      {"policyHash", TextOf(&contract, "policyHash")},
      {"secrets", Lines(receipt, "secretsReleased", [](const Json& s) { return fmt::format("{} ({})", TextOf(&s, "name"), TextOf(&s, "scope")); })},
      {"network", Lines(receipt, "networkAccessed", [](const Json& n) { return fmt::format("{} {}", TextOf(&n, "host"), TextOf(&n, "decision")); })},
      {"eventCount", count != nullptr && count->is_number() ? *count : Json(0)},
      {"eventsHead", TextOf(&receipt, "eventsHead")},
      {"verificationCommand", fmt::format("{} verify <bundle.json>", kDialect)},
  });
  if (const auto identity = TextOf(contract.Find(kExtension), "identity"); !identity.empty()) story.Set("identity", identity);
  return story;
}

EventSummary Summarise(const Json& event) {
  const std::string type(TextOf(event, "type"));
  const auto text = [&](std::string_view name) { return std::string(TextOf(event, name)); };
  if (type == "run.created") return {"info", type, "contract issued"};
  if (type == "checkpoint.created") return {"info", type, fmt::format("{} ({})", text("checkpointId"), text("tier"))};
  if (type == "policy.evaluated") return {text("decision") == "ask" ? "warn" : "ok", type, text("reason")};
  if (type == "consent.requested") return {"warn", type, text("requirement")};
  if (type == "consent.granted") return {"ok", type, ActorPair(event.Find("actor"))};
  if (type == "run.claimed") return {"info", type, fmt::format("{} {}", text("runnerId"), text("runnerKeyId"))};
  if (type == "secret.released") return {"warn", type, fmt::format("{} ({})", text("name"), text("scope"))};
  if (type == "workspace.materialized") return {"info", type, "manifest " + ShortOf(event, "manifestHash")};
  if (type == "network.connected") {
    return {text("decision") == "allowed" ? "ok" : "warn", type, fmt::format("{} {}", text("host"), text("decision"))};
  }
  if (type == "model.called") return {"info", type, fmt::format("{}/{}", text("provider"), text("model"))};
  if (type == "command.executed") {
    const Json* code = event.Find("exitCode");
    return {code != nullptr && *code == Json(0) ? "ok" : "err", type,
            fmt::format("argv {} exit {}", ShortOf(event, "argvHash"), NumberText(code))};
  }
  if (type == "file.changed") return {"plain", type, fmt::format("{} {}", text("path"), ShortOf(event, "contentHash"))};
  if (type == "artifact.created") return {"info", type, fmt::format("{} {}", text("kind"), ShortOf(event, "hash"))};
  if (type == "boundary.crossed") {
    return {"warn", type, fmt::format("{}: {} {}", text("direction"), text("dataClass"), ShortOf(event, "contentHash"))};
  }
  if (type == "run.failed") return {"err", type, fmt::format("{}: {}", text("failure"), text("message"))};
  if (type == "run.cancelled") return {"warn", type, ActorPair(event.Find("actor"))};
  if (type == "run.completed") return {"ok", type, "completed"};
  return SummariseExtension(type, event);
}

}  // namespace writ::contract
