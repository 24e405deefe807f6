#include "contract/handoff.h"

#include <cmath>

#include "contract/contract.h"
#include "contract/names.h"
#include "contract/object_reader.h"

namespace writ::contract {

using canon::Json;

namespace {

constexpr std::size_t kJournalMax = 100000, kSayingMax = 1000000, kHandedSecretsMax = 256;

void ReadVersion(ObjectReader& reader, std::string_view wanted) {
  std::string version;
  reader.Text("version", version, 1, 64);
  if (version != wanted) reader.Refuse("version", fmt::format("must be \"{}\"", wanted));
}

template <class T>
void SetIf(Json& json, std::string_view name, const std::optional<T>& value) {
  if (value) json.Set(name, *value);
}

/// Decodes a nested object with `read(reader)`.
template <class Read>
void Inner(ObjectReader& reader, std::string_view name, Read read) {
  const Json* json = reader.Member(name);
  if (json == nullptr) return;
  ObjectReader inner(*json, reader.Path(name));
  read(inner);
  if (auto done = inner.Finish(); !done) reader.Keep(std::move(done).error());
}

Result<ToolJournalEntry> DecodeEntry(const Json& json, std::string_view path) {
  ToolJournalEntry entry;
  ObjectReader reader(json, path);
  reader.Integer("seq", entry.seq);
  reader.Time("ts", entry.at);
  reader.Text("toolName", entry.tool_name, 1, 1024);
  if (const Json* input = reader.Member("input")) entry.input = *input;
  if (const Json* output = reader.Member("output", false)) entry.output = *output;
  reader.Text("error", entry.error, 0, kSayingMax);
  std::optional<double> duration;
  reader.Number("durationMs", duration, 0, true);
  if (!duration) reader.Refuse("durationMs", "is missing");
  entry.duration_ms = duration.value_or(0);
  if (auto done = reader.Finish(); !done) return std::unexpected(std::move(done).error());
  return entry;
}

}  // namespace

Json ToJson(const Checkpoint& checkpoint) {
  Json json = Json::Of({{"version", kCheckpointVersion},
                        {"checkpointId", checkpoint.checkpoint_id},
                        {"createdAt", FormatTimestamp(checkpoint.created_at)},
                        {"tier", checkpoint.tier}});
  SetIf(json, "message", checkpoint.message);
  if (checkpoint.semantic) {
    Json semantic = Json::MakeObject();
    SetIf(semantic, "transcriptHash", checkpoint.semantic->transcript_hash);
    SetIf(semantic, "toolJournalHash", checkpoint.semantic->tool_journal_hash);
    SetIf(semantic, "note", checkpoint.semantic->note);
    json.Set("semantic", std::move(semantic));
  }
  if (!checkpoint.workspace.is_null()) json.Set("workspace", checkpoint.workspace);
  SetIf(json, "parent", checkpoint.parent);
  return json;
}

Result<Checkpoint> DecodeCheckpoint(const Json& json, std::string_view path) {
  Checkpoint checkpoint;
  ObjectReader reader(json, path);
  ReadVersion(reader, kCheckpointVersion);
  reader.Text("checkpointId", checkpoint.checkpoint_id, 1, 256);
  reader.Time("createdAt", checkpoint.created_at);
  reader.Text("tier", checkpoint.tier, 1, 64);
  if (checkpoint.tier != "semantic" && checkpoint.tier != "workspace") {
    reader.Refuse("tier", "must be \"semantic\" or \"workspace\"");
  }
  reader.Text("message", checkpoint.message, 0, kSayingMax);
  if (reader.Has("semantic")) {
    Checkpoint::Semantic semantic;
    Inner(reader, "semantic", [&](ObjectReader& inner) {
      inner.Hash("transcriptHash", semantic.transcript_hash);
      inner.Hash("toolJournalHash", semantic.tool_journal_hash);
      inner.Text("note", semantic.note, 0, kSayingMax);
    });
    checkpoint.semantic = std::move(semantic);
  }
  if (const Json* workspace = reader.Member("workspace", false)) checkpoint.workspace = *workspace;
  reader.Text("parent", checkpoint.parent, 1, 256);
  if (auto done = reader.Finish(); !done) return std::unexpected(std::move(done).error());
  return checkpoint;
}

Json ToJson(const std::vector<ToolJournalEntry>& journal) {
  Json::Array entries;
  entries.reserve(journal.size());
  for (const ToolJournalEntry& entry : journal) {
    Json json = Json::Of({{"seq", entry.seq}, {"ts", FormatTimestamp(entry.at)}, {"toolName", entry.tool_name}, {"input", entry.input}});
    SetIf(json, "output", entry.output);
    SetIf(json, "error", entry.error);
    json.Set("durationMs", entry.duration_ms);
    entries.push_back(std::move(json));
  }
  return Json::Of({{"version", kToolJournalVersion}, {"entries", std::move(entries)}});
}

Result<std::vector<ToolJournalEntry>> DecodeToolJournal(const Json& json, std::string_view path) {
  std::vector<ToolJournalEntry> journal;
  ObjectReader reader(json, path);
  ReadVersion(reader, kToolJournalVersion);
  reader.Each("entries", kJournalMax, true, [&](const Json& item, std::string_view where) -> Result<> {
    auto entry = DecodeEntry(item, where);
    if (!entry) return std::unexpected(std::move(entry).error());
    journal.push_back(*std::move(entry));
    return {};
  });
  if (auto done = reader.Finish(); !done) return std::unexpected(std::move(done).error());
  return journal;
}

Json ToJson(const Envelope& envelope) {
  Json source = Json::Of({{"kind", "local"}, {"actor", ToJson(envelope.actor)}});
  SetIf(source, "host", envelope.host);
  Json::Array secrets;
  for (const std::string& name : envelope.secrets) secrets.push_back(ToJson(SecretClaim{name, "requested"}));
  Json json = Json::Of({{"version", kEnvelopeVersion},
                        {"envelopeId", envelope.envelope_id},
                        {"createdAt", FormatTimestamp(envelope.created_at)},
                        {"source", std::move(source)},
                        {"target", Json::Of({{"kind", "runner-pool"}, {"pool", envelope.pool}})},
                        {"checkpoint", envelope.checkpoint},
                        {"agent", ToJson(envelope.agent)},
                        {"task", Json::Of({{"prompt", envelope.prompt}})}});
  SetIf(json, "reason", envelope.reason);
  json.Set("secrets", std::move(secrets));
  json.Set("network", ToJson(envelope.network));
  json.Set("budget", ToJson(envelope.budget));
  json.Set("disclosure", envelope.disclosure);
  if (!envelope.execution.is_null()) json.Set("execution", envelope.execution);
  SetIf(json, "isolation", envelope.isolation);
  return json;
}

Result<Envelope> DecodeEnvelope(const Json& json, std::string_view path) {
  Envelope envelope;
  ObjectReader reader(json, path);
  ReadVersion(reader, kEnvelopeVersion);
  reader.Text("envelopeId", envelope.envelope_id, 1, 256);
  reader.Time("createdAt", envelope.created_at);
  Inner(reader, "source", [&](ObjectReader& inner) {
    if (const Json* actor = inner.Member("actor")) inner.Take(envelope.actor, DecodeActor(*actor, inner.Path("actor")));
    inner.Text("host", envelope.host, 0, 1024);
  });
  Inner(reader, "target", [&](ObjectReader& inner) { inner.Text("pool", envelope.pool, 1, 128); });
  if (const Json* checkpoint = reader.Member("checkpoint")) envelope.checkpoint = *checkpoint;
  if (const Json* agent = reader.Member("agent")) reader.Take(envelope.agent, DecodeAgent(*agent, reader.Path("agent")));
  Inner(reader, "task", [&](ObjectReader& inner) { inner.Text("prompt", envelope.prompt, 1, kPromptUnitsMax); });
  reader.Text("reason", envelope.reason, 0, kSayingMax);
  reader.Each("secrets", kHandedSecretsMax, true, [&](const Json& item, std::string_view where) -> Result<> {
    auto claim = DecodeSecretClaim(item, where);
    if (!claim) return std::unexpected(std::move(claim).error());
    envelope.secrets.push_back(std::move(claim->name));
    return {};
  });
  if (const Json* network = reader.Member("network")) reader.Take(envelope.network, DecodeNetwork(*network, reader.Path("network")));
  if (const Json* budget = reader.Member("budget")) reader.Take(envelope.budget, DecodeBudget(*budget, reader.Path("budget")));
  reader.Text("disclosure", envelope.disclosure, 1, 64);
  if (const Json* execution = reader.Member("execution", false)) envelope.execution = *execution;
  reader.Text("isolation", envelope.isolation, 1, 64);
  if (auto done = reader.Finish(); !done) return std::unexpected(std::move(done).error());
  return envelope;
}

}  // namespace writ::contract
