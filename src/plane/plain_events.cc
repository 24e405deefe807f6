#include "plane/plain_events.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <span>
#include <string>

#include "base/clock.h"
#include "canon/scan.h"
#include "contract/chain.h"
#include "contract/names.h"
#include "crypto/digest.h"
#include "plane/claim_token.h"

namespace writ::plane {
namespace {

constexpr std::size_t kMembersMax = 8;
constexpr std::size_t kDigitsMax = 15;

struct Member {
  std::string_view name;
  std::string_view raw;      ///< the value as it is written
  std::string_view content;  ///< of a string, without its quotes; else empty
};
struct Members {
  std::array<Member, kMembersMax> all;
  std::size_t count = 0;

  std::span<const Member> list() const { return {all.data(), count}; }
  const Member* Find(std::string_view name) const {
    const auto found = std::ranges::find(list(), name, &Member::name);
    return found == list().end() ? nullptr : &*found;
  }
  bool IsText(std::string_view name) const {
    const Member* member = Find(name);
    return member != nullptr && member->raw.front() == '"';
  }
  bool IsHash(std::string_view name) const { return IsText(name) && crypto::IsHash(Find(name)->content); }
  bool IsInteger(std::string_view name) const {
    const Member* member = Find(name);
    return member != nullptr && (member->raw.front() == '-' || (member->raw.front() >= '0' && member->raw.front() <= '9'));
  }
};

/// Moves through a text. Every function that returns false leaves the position anywhere.
class Cursor {
 public:
  Cursor(std::string_view text, std::size_t at) : text_(text), at_(at) {}
  std::size_t at() const { return at_; }
  bool AtEnd() const { return at_ == text_.size(); }
  std::string_view From(std::size_t begin) const { return text_.substr(begin, at_ - begin); }

  bool Take(std::string_view literal) {
    if (text_.substr(at_, literal.size()) != literal) return false;
    at_ += literal.size();
    return true;
  }
  bool Take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  /// A string of visible ASCII without escapes: its bytes are the same in every form of JSON that we write.
  bool Text(std::string_view& content) {
    if (!Take('"')) return false;
    const std::size_t begin = at_;
    at_ = canon::FirstSpecial(text_, at_);
    if (at_ >= text_.size() || text_[at_] != '"') return false;
    content = text_.substr(begin, at_ - begin);
    ++at_;
    return content.empty() || std::memchr(content.data(), 0x7F, content.size()) == nullptr;
  }
  bool Hash(std::string_view& hash) { return Text(hash) && crypto::IsHash(hash); }
  /// A whole number in its shortest form, exact as a double.
  bool Integer(std::string_view& digits) {
    const std::size_t begin = at_;
    const bool negative = Take('-');
    const std::size_t first = at_;
    while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
    digits = From(begin);
    const std::size_t count = at_ - first;
    return count > 0 && count <= kDigitsMax && (text_[first] != '0' || (count == 1 && !negative));
  }
  /// An object of strings and whole numbers whose names differ.
  bool Flat(Members& members) {
    return Object(members, [](std::string_view) { return false; });
  }
  /// The same, with one member more that is a flat object: `writ`.
  bool Event(Members& members, Members& writ) {
    return Object(members, [&](std::string_view name) { return name == "writ" && writ.count == 0 && Flat(writ) && writ.count > 0; });
  }
  /// Passes over any value: brackets and strings are matched, nothing else is looked at.
  bool Skip() {
    std::size_t depth = 0;
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c == '"') {
        for (;;) {
          at_ = text_.find_first_of("\"\\", at_);
          if (at_ == text_.npos) return at_ = text_.size(), false;
          if (text_[at_++] == '"') break;
          ++at_;
        }
      } else if (c == '{' || c == '[') {
        ++depth;
      } else if (c == '}' || c == ']') {
        if (depth == 0) return false;
        --depth;
      }
      if (depth == 0) return c == '"' || c == '}' || c == ']';
    }
    return false;
  }

 private:
  template <class Nested>
  bool Object(Members& members, Nested nested) {
    if (!Take('{')) return false;
    do {
      if (members.count == kMembersMax) return false;
      Member& member = members.all[members.count];
      member.content = {};
      if (!Text(member.name) || members.Find(member.name) != nullptr || !Take(':')) return false;
      const std::size_t begin = at_;
      if (at_ >= text_.size()) return false;
      if (text_[at_] == '"') {
        if (!Text(member.content)) return false;
      } else if (text_[at_] == '{') {
        if (!nested(member.name)) return false;
      } else {
        std::string_view digits;
        if (!Integer(digits)) return false;
      }
      member.raw = From(begin);
      ++members.count;
    } while (Take(','));
    return Take('}');
  }

  std::string_view text_;
  std::size_t at_;
};

void AppendSorted(std::string& out, const Members& members, const Members* writ) {
  std::array<const Member*, kMembersMax> sorted;
  for (std::size_t i = 0; i < members.count; ++i) {
    std::size_t place = i;
    for (; place > 0 && members.all[i].name < sorted[place - 1]->name; --place) sorted[place] = sorted[place - 1];
    sorted[place] = &members.all[i];
  }
  out += '{';
  for (std::size_t i = 0; i < members.count; ++i) {
    if (i > 0) out += ',';
    (out += '"') += sorted[i]->name;
    out += "\":";
    if (sorted[i]->raw.front() == '{') AppendSorted(out, *writ, nullptr);
    else out += sorted[i]->raw;
  }
  out += '}';
}

/// Whether this is all that EventProblem asks of an event of a type of which nothing but its number is remembered.
bool IsPlainEvent(const Members& event) {
  const Member* type = event.Find("type");
  if (type == nullptr) return false;
  if (const Member* writ = event.Find("writ"); writ != nullptr && writ->raw.front() != '{') return false;
  if (type->content == "file.changed") return event.IsText("path") && event.IsHash("contentHash");
  if (type->content == "command.executed") return event.IsHash("argvHash") && event.IsInteger("exitCode");
  if (type->content == "workspace.materialized") return event.IsHash("manifestHash");
  return type->content == "run.completed";
}

bool IsHashOf(std::string_view hash, std::string_view text) {
  crypto::Sha256 digest;
  digest.Update(AsBytes(text));
  constexpr std::string_view kHex = "0123456789abcdef";
  std::size_t at = 0;
  for (const std::uint8_t byte : digest.Finish()) {
    if (hash[at] != kHex[byte >> 4] || hash[at + 1] != kHex[byte & 15]) return false;
    at += 2;
  }
  return true;
}

class Reader {
 public:
  explicit Reader(std::string_view body) : body_(body), cursor_(body, 0) { hashed_.reserve(1024); }

  std::optional<PlainPost> Read() {
    PlainPost post;
    if (!cursor_.Take("{\"claimToken\":") || !cursor_.Text(post.claim_token) || !cursor_.Take(",\"events\":[")) return std::nullopt;
    if (post.claim_token.size() > kClaimTokenBytesMax) return std::nullopt;
    post.batch.entries.reserve(std::min(kBatchMax, body_.size() / 256 + 1));
    if (!cursor_.Take(']')) {
      do {
        if (post.batch.entries.size() == kBatchMax || !Entry(post.batch)) return std::nullopt;
      } while (cursor_.Take(','));
      if (!cursor_.Take(']')) return std::nullopt;
    }
    if (!cursor_.Take('}') || !cursor_.AtEnd()) return std::nullopt;
    return post;
  }

 private:
  bool Entry(EventBatch& batch) {
    const std::size_t begin = cursor_.at();
    BatchEntry entry;
    std::string_view digits;
    static const std::string kBegin = fmt::format("{{\"version\":\"{}\",\"seq\":", contract::kEventVersion);
    if (!cursor_.Take(kBegin) || !cursor_.Integer(digits) || digits.front() == '-') return false;
    for (const char c : digits) entry.seq = entry.seq * 10 + static_cast<std::uint64_t>(c - '0');
    if (!cursor_.Take(",\"ts\":") || !cursor_.Text(entry.ts) || !ParseTimestamp(entry.ts)) return false;
    if (!cursor_.Take(",\"prev\":") || !cursor_.Hash(entry.prev) || !cursor_.Take(",\"event\":")) return false;
    const std::size_t event_begin = cursor_.at();
    Members event, writ;
    const bool plain = cursor_.Event(event, writ) && IsPlainEvent(event);
    if (!plain) {
      cursor_ = Cursor(body_, event_begin);
      if (!cursor_.Skip()) return false;
    }
    if (!cursor_.Take(",\"hash\":") || !cursor_.Hash(entry.hash) || !cursor_.Take('}')) return false;
    entry.text = cursor_.From(begin);
    if (entry.text.size() > kEntryBytesMax) return false;
    if (!plain) return Remembered(batch, entry.text);
    hashed_ = "{\"event\":";
    AppendSorted(hashed_, event, &writ);
    ((hashed_ += ",\"prev\":\"") += entry.prev) += "\",\"seq\":";
    (((hashed_ += digits) += ",\"ts\":\"") += entry.ts) += "\"}";
    if (!IsHashOf(entry.hash, hashed_)) return false;
    entry.type = event.Find("type")->content;
    // The chain's own reader takes it from an object only, and as a number that is not negative.
    if (writ.count > 0 && writ.IsInteger("monoUs")) entry.mono_us = MonoOf(writ.Find("monoUs")->raw);
    else if (writ.Find("monoUs") != nullptr) return false;
    batch.entries.push_back(entry);
    return true;
  }

  static std::int64_t MonoOf(std::string_view digits) {
    std::int64_t value = 0;
    if (digits.front() == '-') return 0;
    for (const char c : digits) value = value * 10 + (c - '0');
    return value;
  }

  /// An event of which more is remembered is read as any other.
  static bool Remembered(EventBatch& batch, std::string_view text) {
    auto json = canon::Parse(text, canon::Mode::kStrict);
    return json && AddEntry(batch, *std::move(json)).empty();
  }

  std::string_view body_;
  Cursor cursor_;
  std::string hashed_;
};

}  // namespace

std::optional<PlainPost> ReadPlainPost(std::string_view body) { return Reader(body).Read(); }

}  // namespace writ::plane
