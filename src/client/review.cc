#include "client/review.h"

#include <algorithm>
#include <tuple>

#include "base/clock.h"

namespace writ::client {
namespace {

using canon::Json;

std::string TextOf(const Json* json, std::string_view member) {
  const std::string* text = json ? json->FindString(member) : nullptr;
  return text ? *text : std::string();
}

std::int64_t Between(const std::string& from, const std::string& to) {
  const auto start = ParseTimestamp(from), end = ParseTimestamp(to);
  return start && end && *end >= *start ? (*end - *start).count() : 0;
}

void Count(Scorecard& card, const Json& event) {
  const std::string type = TextOf(&event, "type");
  if (type == "file.changed") ++card.files_changed;
  if (type == "network.connected" && TextOf(&event, "decision") == "blocked") ++card.egress_blocked;
  if (type == "secret.released") card.secrets_released.push_back(TextOf(&event, "name"));
  const Json* code = type == "command.executed" ? event.Find("exitCode") : nullptr;
  if (code && code->is_number() && code->number() >= -1e6 && code->number() <= 1e6) card.exit_code = static_cast<int>(code->number());
}

}  // namespace

Scorecard CardOf(const Json& bundle) {
  Scorecard card;
  const Json* receipt = bundle.Find("receipt");
  card.run_id = TextOf(receipt, "runId");
  card.status = TextOf(receipt, "status");
  card.ended_at = TextOf(receipt, "endedAt");
  card.duration_ms = Between(TextOf(receipt, "startedAt"), card.ended_at);
  const Json* events = bundle.Find("events");
  if (!events || !events->is_array()) return card;
  card.events = events->array().size();
  for (const Json& entry : events->array()) {
    if (const Json* event = entry.Find("event")) Count(card, *event);
  }
  return card;
}

Json ToJson(const Scorecard& card) {
  Json secrets = Json::MakeArray();
  for (const auto& name : card.secrets_released) secrets.Append(name);
  Json json = Json::Of({{"runId", card.run_id}, {"status", card.status}});
  if (card.exit_code) json.Set("exitCode", *card.exit_code);
  json.Set("diffBytes", card.diff_bytes)
      .Set("filesChanged", card.files_changed)
      .Set("durationMs", card.duration_ms)
      .Set("events", card.events)
      .Set("egressBlocked", card.egress_blocked)
      .Set("secretsReleased", std::move(secrets))
      .Set("verified", card.verified);
  if (!card.problem.empty()) json.Set("problem", card.problem);
  return json;
}

std::optional<Strategy> ParseStrategy(std::string_view word) {
  if (word == "smallest-diff") return Strategy::kSmallestDiff;
  if (word == "first-completed") return Strategy::kFirstCompleted;
  if (word == "tests-pass-smallest-diff") return Strategy::kTestsPassSmallestDiff;
  return std::nullopt;
}

std::optional<std::size_t> Best(Strategy strategy, std::span<const Scorecard> cards) {
  const auto rank = [&](const Scorecard& card) {
    const bool failed = strategy == Strategy::kTestsPassSmallestDiff && card.exit_code != 0;
    const std::uint64_t bytes = strategy == Strategy::kFirstCompleted ? 0 : card.diff_bytes;
    return std::tuple(failed, bytes, card.ended_at, card.run_id);
  };
  std::optional<std::size_t> best;
  for (std::size_t i = 0; i < cards.size(); ++i) {
    const Scorecard& card = cards[i];
    const bool counts = card.verified && (strategy == Strategy::kFirstCompleted ? card.status == "completed"
                                                                               : card.status == "completed" || card.status == "failed");
    if (counts && (!best || rank(card) < rank(cards[*best]))) best = i;
  }
  return best;
}

}  // namespace writ::client
