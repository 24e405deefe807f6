#include "client/plane_answers.h"

#include <algorithm>
#include <array>

#include "base/escape.h"
#include "contract/object_reader.h"

namespace writ::client {
namespace {

using canon::Json;
using contract::ObjectReader;

constexpr std::size_t kRowsMax = 100'000;
constexpr std::size_t kReasonsMax = 1000;
constexpr std::size_t kTextMax = 4096;
constexpr std::size_t kEventsMax = 4u << 20;

/// What a plane sent contradicts the protocol: corrupt, not an invalid question of ours.
template <class T>
Result<T> Answer(ObjectReader& reader, T value) {
  if (auto done = reader.Finish(); !done) {
    return Fail(Code::kCorrupt, "the plane's answer is not what the protocol says: {}", EscapeVisible(done.error().what, 500));
  }
  return value;
}

void ReadRunId(ObjectReader& reader, std::string& out) {
  reader.Text("runId", out, 1, 128);
  if (!out.empty() && !IsRunId(out)) reader.Refuse("runId", "is no run id");
}

void ReadStatus(ObjectReader& reader, std::string& out) {
  reader.Text("status", out, 1, 64);
  if (!out.empty() && !IsStatus(out)) reader.Refuse("status", "is no status that the protocol knows");
}

void ReadToken(ObjectReader& reader, std::string& out) {
  reader.Text("token", out, 16, 1024);
  const bool plain = std::ranges::all_of(out, [](char c) { return c > ' ' && c < 0x7f; });
  if (!plain) reader.Refuse("token", "is no token");
}

}  // namespace

bool IsRunId(std::string_view text) {
  return !text.empty() && text.size() <= 128 && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

bool IsStatus(std::string_view word) {
  constexpr std::array<std::string_view, 8> kWords{"created", "claimed",           "provisioning", "running",
                                                   "failed",  "awaiting_approval", "completed",    "cancelled"};
  return std::ranges::find(kWords, word) != kWords.end();
}

bool IsEnded(std::string_view status) { return status == "completed" || status == "failed" || status == "cancelled"; }

Result<Submitted> DecodeSubmitted(const Json& json) {
  Submitted submitted;
  ObjectReader reader(json, "run");
  ReadRunId(reader, submitted.run_id);
  ReadStatus(reader, submitted.status);
  reader.Texts("consentRequirements", submitted.consent_requirements, kReasonsMax, kTextMax, false);
  return Answer(reader, std::move(submitted));
}

Result<Moved> DecodeMoved(const Json& json) {
  Moved moved;
  ObjectReader reader(json, "run");
  ReadRunId(reader, moved.run_id);
  ReadStatus(reader, moved.status);
  std::optional<bool> stopping;
  reader.Bool("stopping", stopping);
  moved.stopping = stopping.value_or(false);
  return Answer(reader, std::move(moved));
}

Result<DryRunAnswer> DecodeDryRun(const Json& json) {
  DryRunAnswer answer;
  ObjectReader reader(json, "dryRun");
  if (const Json* decision = reader.Member("policyDecision")) {
    ObjectReader inner(*decision, "dryRun.policyDecision");
    std::string word;
    inner.Text("decision", word, 1, 64);
    if (word != "allow" && word != "ask" && !word.empty()) inner.Refuse("decision", "must be \"allow\" or \"ask\"");
    answer.ask = word == "ask";
    inner.Text("reason", answer.reason, 0, kTextMax * 16);
    inner.Texts("consentRequirements", answer.consent_requirements, kReasonsMax, kTextMax, false);
    if (auto done = inner.Finish(); !done) reader.Keep(std::move(done).error());
  }
  answer.json = json;
  return Answer(reader, std::move(answer));
}

Result<RunView> DecodeRunView(const Json& json, std::string_view run_id) {
  RunView view;
  ObjectReader reader(json, "run");
  ReadRunId(reader, view.run_id);
  if (!view.run_id.empty() && view.run_id != run_id) reader.Refuse("runId", "is another run");
  ReadStatus(reader, view.status);
  reader.Text("createdAt", view.created_at, 0, 64);
  reader.Text("updatedAt", view.updated_at, 0, 64);
  reader.Texts("consentRequirements", view.consent_requirements, kReasonsMax, kTextMax, false);
  std::optional<std::string> failure;
  reader.Text("failureMessage", failure, 0, kTextMax);
  view.failure_message = failure.value_or("");
  reader.Each("events", kEventsMax, true, [&](const Json& entry, std::string_view path) -> Result<> {
    if (!entry.is_object() || !entry.Find("event") || !entry.Find("event")->is_object()) {
      return Fail(Code::kInvalid, "{}: is no chained event", path);
    }
    view.events.push_back(entry);
    return {};
  });
  return Answer(reader, std::move(view));
}

Result<RunPage> DecodeRuns(const Json& json) {
  RunPage page;
  ObjectReader reader(json, "answer");
  reader.Each("runs", kRowsMax, true, [&](const Json& row, std::string_view path) -> Result<> {
    RunSummary run;
    ObjectReader inner(row, path);
    ReadRunId(inner, run.run_id);
    ReadStatus(inner, run.status);
    inner.Text("agentKind", run.agent_kind, 1, 64);
    inner.Text("pool", run.pool, 1, 128);
    inner.Text("prompt", run.prompt, 0, 1'000'000);
    inner.Text("createdAt", run.created_at, 0, 64);
    inner.Text("updatedAt", run.updated_at, 0, 64);
    inner.Bool("hasReceipt", run.has_receipt);
    if (const Json* actor = inner.Member("requestedBy")) inner.Take(run.requested_by, contract::DecodeActor(*actor, inner.Path("requestedBy")));
    WRIT_TRY("run", inner.Finish());
    page.runs.push_back(std::move(run));
    return {};
  });
  reader.Text("nextCursor", page.next_cursor, 1, 1024);
  return Answer(reader, std::move(page));
}

Result<std::vector<PrincipalRow>> DecodePrincipals(const Json& json) {
  std::vector<PrincipalRow> rows;
  ObjectReader reader(json, "answer");
  reader.Each("principals", kRowsMax, true, [&](const Json& row, std::string_view path) -> Result<> {
    PrincipalRow principal;
    ObjectReader inner(row, path);
    inner.Text("name", principal.name, 1, 128);
    inner.Text("role", principal.role, 1, 64);
    inner.Text("createdAt", principal.created_at, 0, 64);
    inner.Bool("revoked", principal.revoked);
    WRIT_TRY("principal", inner.Finish());
    rows.push_back(std::move(principal));
    return {};
  });
  return Answer(reader, std::move(rows));
}

Result<IssuedToken> DecodeToken(const Json& json) {
  IssuedToken issued;
  ObjectReader reader(json, "answer");
  ReadToken(reader, issued.token);
  std::optional<std::string> name, role, expires;
  reader.Text("name", name, 1, 128);
  reader.Text("role", role, 1, 64);
  reader.Text("expiresAt", expires, 1, 64);
  issued.name = name.value_or("");
  issued.role = role.value_or("");
  issued.expires_at = expires.value_or("");
  return Answer(reader, std::move(issued));
}

Result<std::vector<RunnerRow>> DecodeRunners(const Json& json) {
  std::vector<RunnerRow> rows;
  ObjectReader reader(json, "answer");
  reader.Each("runners", kRowsMax, true, [&](const Json& row, std::string_view path) -> Result<> {
    RunnerRow runner;
    ObjectReader inner(row, path);
    inner.Text("runnerId", runner.runner_id, 1, 128);
    inner.Text("pool", runner.pool, 1, 128);
    inner.Text("keyId", runner.key_id, 1, 128);
    inner.Text("enrolledAt", runner.enrolled_at, 0, 64);
    WRIT_TRY("runner", inner.Finish());
    rows.push_back(std::move(runner));
    return {};
  });
  return Answer(reader, std::move(rows));
}

std::vector<std::string> DeniedReasons(const Json& json) {
  std::vector<std::string> reasons;
  const Json* list = json.Find("reasons");
  const std::string* code = json.FindString("code");
  if (!list || !list->is_array() || !code || *code != "policy_denied") return reasons;
  for (const Json& reason : list->array()) {
    if (reasons.size() == kReasonsMax) break;
    if (reason.is_string()) reasons.push_back(reason.string().substr(0, kTextMax));
  }
  return reasons;
}

}  // namespace writ::client
