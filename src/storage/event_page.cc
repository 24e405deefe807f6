#include "storage/event_page.h"

#include <algorithm>
#include <cstring>

namespace writ::storage {
namespace {

/// Position of the quote that ends the string whose first character is at `begin`; npos when there is none.
std::size_t EndOfString(std::string_view text, std::size_t begin) {
  for (std::size_t at = begin; at < text.size();) {
    const std::size_t quote = text.find('"', at);
    if (quote == std::string_view::npos) return quote;
    std::size_t backslashes = 0;
    while (quote - backslashes > begin && text[quote - backslashes - 1] == '\\') ++backslashes;
    if (backslashes % 2 == 0) return quote;
    at = quote + 1;
  }
  return std::string_view::npos;
}

std::size_t SkipSpace(std::string_view text, std::size_t at) {
  return std::min(text.find_first_not_of(" \t\r\n", at), text.size());
}

/// The string after the colon that must be next.
std::string_view StringMember(std::string_view text, std::size_t at) {
  at = SkipSpace(text, at);
  if (at == text.size() || text[at] != ':') return {};
  at = SkipSpace(text, at + 1);
  if (at == text.size() || text[at] != '"') return {};
  const std::size_t end = EndOfString(text, at + 1);
  if (end == std::string_view::npos) return {};
  const std::string_view value = text.substr(at + 1, end - at - 1);
  return value.contains('\\') ? std::string_view{} : value;
}

/// Looks at a page's worth of events times this, and a few more, for one page.
constexpr std::size_t kLooksPerEvent = 4, kLooksMin = 1000;

}  // namespace

std::string_view EventTimestamp(std::string_view text) {
  std::size_t at = SkipSpace(text, 0);
  if (at == text.size() || text[at] != '{') return {};
  std::size_t depth = 0;
  bool key_is_next = false;
  for (; at < text.size(); ++at) {
    switch (text[at]) {
      case '{':
      case '[':
        key_is_next = ++depth == 1;
        break;
      case '}':
      case ']':
        if (--depth == 0) return {};
        break;
      case ',':
        key_is_next = depth == 1;
        break;
      case '"': {
        const std::size_t end = EndOfString(text, at + 1);
        if (end == std::string_view::npos) return {};
        if (key_is_next && text.substr(at + 1, end - at - 1) == "ts") return StringMember(text, end + 1);
        key_is_next = false;
        at = end;
        break;
      }
      default:
        break;
    }
  }
  return {};
}

EventPageBuilder::EventPageBuilder(std::string_view since, std::size_t limit)
    : since_(since), limit_(limit), looks_max_(std::min(limit, std::size_t{1'000'000}) * kLooksPerEvent + kLooksMin) {}

void EventPageBuilder::Offer(std::string_view run_id, std::uint64_t seq, std::string text) {
  ++looked_at_;
  if (EventTimestamp(text) < since_) return;
  page_.events.push_back({std::string(run_id), seq, std::move(text)});
}

}  // namespace writ::storage
