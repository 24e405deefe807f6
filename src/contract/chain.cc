#include "contract/chain.h"

#include <utility>

#include "contract/names.h"
#include "crypto/digest.h"

namespace writ::contract {

using canon::Json;

namespace {

bool IsText(const Json* value, std::string_view text) {
  return value != nullptr && value->is_string() && value->string() == text;
}

/// Canonical text of the hashed members. Their order by name is fixed, so nothing is copied or sorted.
Result<std::string> HashEntryParts(const Json* event, const Json* prev, const Json* seq, const Json* ts) {
  constexpr std::string_view kNames[] = {"\"event\":", "\"prev\":", "\"seq\":", "\"ts\":"};
  const Json* const values[] = {event, prev, seq, ts};
  std::string text;
  text.reserve(512);
  for (std::size_t i = 0; i < std::size(kNames); ++i) {
    if (values[i] == nullptr) continue;
    text += text.empty() ? '{' : ',';
    text += kNames[i];
    if (auto done = canon::AppendCanonical(text, *values[i]); !done) return std::unexpected(std::move(done).error());
  }
  if (text.empty()) text += '{';
  text += '}';
  return crypto::Sha256Hex(text);
}

}  // namespace

Result<std::string> HashEntry(const Json& entry) {
  return HashEntryParts(entry.Find("event"), entry.Find("prev"), entry.Find("seq"), entry.Find("ts"));
}

Result<Json> EventChain::Append(WallTime at, Json event) {
  Json seq(count_), ts(FormatTimestamp(at)), prev(head_);
  std::string hash = WRIT_TRY("append event", HashEntryParts(&event, &prev, &seq, &ts));
  Json::Object members;
  members.reserve(6);
  members.emplace_back("version", kEventVersion);
  members.emplace_back("seq", std::move(seq));
  members.emplace_back("ts", std::move(ts));
  members.emplace_back("prev", std::move(prev));
  members.emplace_back("event", std::move(event));
  members.emplace_back("hash", hash);
  head_ = std::move(hash);
  ++count_;
  return Json::FromObject(std::move(members));
}

Result<std::optional<ChainBreak>> EventChain::Accept(const Json& entry) {
  const Json* seq = entry.Find("seq");
  if (seq == nullptr || !seq->is_number() || seq->number() != static_cast<double>(count_)) {
    return ChainBreak{count_, "sequence gap"};
  }
  if (!IsText(entry.Find("prev"), head_)) return ChainBreak{count_, "prev hash mismatch"};
  auto hash = HashEntry(entry);
  if (!hash) return std::unexpected(std::move(hash).error());
  if (!IsText(entry.Find("hash"), *hash)) return ChainBreak{count_, "event hash mismatch"};
  head_ = *std::move(hash);
  ++count_;
  return std::nullopt;
}

Result<std::optional<ChainBreak>> VerifyChain(std::string_view genesis, const Json& events) {
  if (!events.is_array()) return Fail(Code::kInvalid, "events is not an array");
  EventChain chain{std::string(genesis)};
  for (const Json& entry : events.array()) {
    if (!entry.is_object()) return Fail(Code::kInvalid, "event {} is not an object", chain.count());
    auto broken = chain.Accept(entry);
    if (!broken || broken->has_value()) return broken;
  }
  return std::nullopt;
}

}  // namespace writ::contract
