#include "session/run_facts.h"

namespace writ::session {
namespace {

using canon::Json;

std::string TextOf(const Json& object, std::string_view name) {
  const auto* text = object.FindString(name);
  return text == nullptr ? std::string() : *text;
}

std::int64_t NumberOf(const Json& object, std::string_view name) {
  const Json* number = object.Find(name);
  constexpr double kExactMax = 9007199254740992;
  if (number == nullptr || !number->is_number()) return 0;
  if (!(number->number() >= 0 && number->number() <= kExactMax)) return 0;
  return static_cast<std::int64_t>(number->number());
}

/// The facts of an event of our own.
void ObserveExtension(RunFacts& facts, std::string_view type, Json writ) {
  writ.Remove("v");
  writ.Remove("monoUs");
  if (type == "writ.contract.checked") {
    facts.checked = std::move(writ);
  } else if (type == "writ.cell.prepared") {
    facts.cell = std::move(writ);
  } else if (type == "writ.run.ended") {
    facts.ended = std::move(writ);
  } else if (type == "writ.run.interrupted") {
    facts.interrupted = std::move(writ);
  } else if (type == "writ.changes.recorded") {
    facts.changes = std::move(writ);
  } else if (type == "writ.network.used") {
    facts.network = std::move(writ);
  } else if (type == "writ.output.collected") {
    facts.outputs.push_back(std::move(writ));
  } else if (type == "writ.output.missing") {
    facts.missing.push_back(TextOf(writ, "name"));
  } else if (type == "writ.output.undeclared") {
    facts.undeclared_more += static_cast<std::uint64_t>(NumberOf(writ, "more"));
    writ.Remove("more");
    facts.undeclared.push_back(std::move(writ));
  } else if (type == "writ.stream.kept") {
    facts.streams.push_back(std::move(writ));
  } else if (type == "writ.stream.truncated") {
    facts.truncated.push_back(TextOf(writ, "stream"));
  }
}

}  // namespace

std::optional<RunState> StateAfter(std::string_view event_type) {
  if (event_type == "run.created") return RunState::kCreated;
  if (event_type == "run.claimed") return RunState::kClaimed;
  if (event_type == "workspace.materialized") return RunState::kRunning;
  if (event_type == "run.completed") return RunState::kCompleted;
  if (event_type == "run.failed") return RunState::kFailed;
  if (event_type == "run.cancelled") return RunState::kCancelled;
  return std::nullopt;
}

void RunFacts::ObservePlain(std::string_view type, std::string_view ts, std::string_view hash, std::int64_t entry_mono_us) {
  chain.AddPlain(ts, hash);
  terminal.clear();
  if (entry_mono_us >= 0) mono_us = entry_mono_us;
  if (const auto next = StateAfter(type)) {
    state = next;
    if (storage::IsTerminal(*next)) terminal = type;
  }
  if (type == "file.changed") ++files_changed;
}

void RunFacts::Observe(const Json& entry) {
  chain.Add(entry);
  terminal.clear();

  const Json* event = entry.Find("event");
  if (event == nullptr) return;
  const std::string type = TextOf(*event, "type");
  const Json* writ = event->Find("writ");
  if (writ != nullptr && writ->is_object() && writ->Find("monoUs") != nullptr) mono_us = NumberOf(*writ, "monoUs");

  if (const auto next = StateAfter(type)) {
    state = next;
    if (storage::IsTerminal(*next)) terminal = type;
  }
  if (type == "run.claimed") {
    // What an earlier holder of the run wrote stays in the chain; the receipt of this one does not say it as its own.
    RunFacts own;
    own.chain = std::move(chain);
    own.state = state;
    own.mono_us = mono_us;
    *this = std::move(own);
    runner_id = TextOf(*event, "runnerId");
    runner_key_id = TextOf(*event, "runnerKeyId");
    if (writ != nullptr && writ->is_object()) host = *writ;
  } else if (type == "artifact.created") {
    if (TextOf(*event, "kind") == "diff") diff_hash = TextOf(*event, "hash");
    artifact_hashes.push_back(TextOf(*event, "hash"));
  } else if (type == "file.changed") {
    ++files_changed;
  } else if (type.starts_with("writ.") && writ != nullptr && writ->is_object()) {
    ObserveExtension(*this, type, *writ);
  }
}

}  // namespace writ::session
