#include "api/run_queries.h"

#include <unistd.h>

#include <algorithm>
#include <array>

#include "api/json_texts.h"
#include "crypto/digest.h"
#include "storage/run_lock.h"
#include "sys/file.h"
#include "workspace/warrant_manifest.h"

namespace writ::api {
namespace {

using canon::Json;

constexpr std::size_t kPageRows = 256;

Result<Json> ReadStored(std::string_view what, const std::string& text) {
  auto json = canon::Parse(text, canon::Mode::kWire);
  if (!json) return Fail(Code::kCorrupt, "{} in the store is not JSON: {}", what, json.error().what);
  return json;
}

}  // namespace

std::string EncodeSummary(const RunSummary& summary) {
  Json json = Json::Of({{"command", summary.command}});
  if (!summary.workspace.empty()) json.Set("workspace", workspace::ToWirePath(summary.workspace));
  if (summary.exit_code) json.Set("exitCode", *summary.exit_code);
  if (!summary.ended_at.empty()) json.Set("endedAt", summary.ended_at);
  if (!summary.termination.empty()) json.Set("termination", summary.termination);
  if (!summary.options.empty()) json.Set("options", WireTexts(summary.options));
  return canon::Compact(json);
}

RunSummary DecodeSummary(std::string_view text) {
  RunSummary summary;
  const auto json = canon::Parse(text, canon::Mode::kWire);
  if (!json) return summary;
  if (const auto* command = json->FindString("command")) summary.command = *command;
  if (const auto* path = json->FindString("workspace")) {
    if (auto workspace = workspace::FromWirePath(*path)) summary.workspace = *std::move(workspace);
  }
  if (const auto* ended_at = json->FindString("endedAt")) summary.ended_at = *ended_at;
  if (const auto* termination = json->FindString("termination")) summary.termination = *termination;
  if (const Json* options = json->Find("options"); options != nullptr && options->is_array()) {
    for (const Json& word : options->array()) {
      if (!word.is_string()) continue;
      if (auto plain = workspace::FromWirePath(word.string())) summary.options.push_back(*std::move(plain));
    }
  }
  if (const Json* code = json->Find("exitCode"); code != nullptr && code->is_number() && code->number() >= 0 &&
                                                 code->number() <= 255)
    summary.exit_code = static_cast<int>(code->number());
  return summary;
}

Result<RunRow> RowOf(LocalState& state, const storage::Run& run) {
  RunSummary summary = DecodeSummary(run.summary);
  RunRow row;
  row.run_id = run.id;
  row.created_at = FormatTimestamp(run.created);
  row.command = std::move(summary.command);
  if (storage::IsTerminal(run.status)) {
    row.status = storage::RunStatusName(run.status);
    row.ended_at = std::move(summary.ended_at);
    row.exit_code = summary.exit_code;
    return row;
  }
  if (run.status == storage::RunStatus::kAwaitingApproval) {
    row.status = storage::RunStatusName(run.status);
    return row;
  }
  row.live = WRIT_TRY("look at the run's lock", storage::RunLock::IsHeld(state.directory(), run.id));
  row.status = row.live ? "running" : "interrupted";
  return row;
}

Result<std::vector<RunRow>> ListRuns(LocalState& state, std::size_t limit, bool live_only) {
  std::vector<RunRow> rows;
  std::optional<std::uint64_t> before;
  while (rows.size() < limit) {
    const auto page = WRIT_TRY("list runs", state.store().ListRuns(std::min(kPageRows, limit - rows.size()), before));
    if (page.empty()) break;
    before = page.back().number;
    for (const auto& run : page) {
      if (live_only && storage::IsTerminal(run.status)) continue;
      RunRow row = WRIT_TRY("list runs", RowOf(state, run));
      if (!live_only || row.live) rows.push_back(std::move(row));
    }
  }
  return rows;
}

Result<RunDetails> ShowRun(LocalState& state, std::string_view name) {
  const std::string id = WRIT_TRY("show", state.store().ResolveRun(name));
  const storage::Run run = WRIT_TRY("show", state.store().GetRun(id));
  RunDetails details;
  details.row = WRIT_TRY("show", RowOf(state, run));
  if (run.contract) details.contract = WRIT_TRY("show " + id, ReadStored("the contract", *run.contract));
  if (run.receipt) details.receipt = WRIT_TRY("show " + id, ReadStored("the receipt", *run.receipt));
  details.events = run.event_count;
  return details;
}

Result<std::vector<Json>> RunEvents(LocalState& state, std::string_view name) {
  const std::string id = WRIT_TRY("events", state.store().ResolveRun(name));
  const auto texts = WRIT_TRY("events", state.store().Events(id));
  std::vector<Json> events;
  events.reserve(texts.size());
  for (const auto& text : texts) events.push_back(WRIT_TRY("events of " + id, ReadStored("an event", text)));
  return events;
}

Result<std::vector<ArtifactRow>> RunArtifacts(LocalState& state, std::string_view name) {
  const std::string id = WRIT_TRY("artifacts", state.store().ResolveRun(name));
  const auto stored = WRIT_TRY("artifacts", state.store().Artifacts(id));
  std::vector<ArtifactRow> rows;
  rows.reserve(stored.size());
  for (const auto& artifact : stored) rows.push_back({artifact.kind, artifact.name, artifact.hash, artifact.bytes});
  return rows;
}

Result<> CopyArtifact(LocalState& state, const ArtifactRow& artifact, const LocalPlane::Writer& write) {
  const auto file = WRIT_TRY("read artifact", state.blobs().Open(artifact.sha256));
  std::array<std::uint8_t, 64 << 10> piece;
  // First the digest, then the bytes: nothing of a damaged artifact is handed out.
  crypto::Sha256 digest;
  for (;;) {
    const std::size_t n = WRIT_TRY("read artifact", sys::ReadFull(file.get(), piece));
    if (n == 0) break;
    digest.Update(ByteView(piece).first(n));
  }
  if (digest.FinishHex() != artifact.sha256)
    return Fail(Code::kCorrupt, "stored {} {} has other content than its digest {}", artifact.kind, artifact.name,
                artifact.sha256);
  if (::lseek(file.get(), 0, SEEK_SET) != 0) return FailErrno("read artifact again");
  for (;;) {
    const std::size_t n = WRIT_TRY("read artifact", sys::ReadFull(file.get(), piece));
    if (n == 0) return {};
    WRIT_TRY("write", write(ByteView(piece).first(n)));
  }
}

Result<> CopyKind(LocalState& state, std::string_view run, std::string_view kind, const LocalPlane::Writer& write,
                  std::uint64_t skip) {
  const std::string id = WRIT_TRY(kind, state.store().ResolveRun(run));
  const storage::Run row = WRIT_TRY(kind, state.store().GetRun(id));
  if (!row.receipt) return Fail(Code::kUnavailable, "run {} has not ended yet; its {} is stored at its end", id, kind);
  const auto artifacts = WRIT_TRY(kind, RunArtifacts(state, id));
  for (const auto& artifact : artifacts)
    if (artifact.kind == kind && artifact.name.empty()) {
      return CopyArtifact(state, artifact, [&](ByteView piece) -> Result<> {
        const auto seen = static_cast<std::size_t>(std::min<std::uint64_t>(skip, piece.size()));
        skip -= seen;
        return seen == piece.size() ? Result<>() : write(piece.subspan(seen));
      });
    }
  return {};
}

Result<std::vector<Json>> ListDecisions(LocalState& state, std::size_t limit) {
  const LocalKeys* keys = WRIT_TRY("decisions", state.Keys());
  const auto head = WRIT_TRY("decisions", state.store().GetDecisionHead(keys->decision_genesis));
  const std::uint64_t from = head.count > limit ? head.count - limit : 0;
  const auto stored = WRIT_TRY("decisions", state.store().Decisions(from, limit));
  std::vector<Json> entries;
  entries.reserve(stored.size());
  for (auto entry = stored.rbegin(); entry != stored.rend(); ++entry)
    entries.push_back(WRIT_TRY("decisions", ReadStored("a decision", entry->text)));
  return entries;
}

}  // namespace writ::api
