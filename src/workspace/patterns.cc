#include "workspace/patterns.h"

#include <algorithm>
#include <cctype>

#include "base/utf8.h"
#include "workspace/braces.h"

namespace writ::workspace {
namespace {

constexpr std::size_t kPatternUnitsMax = 512;
constexpr std::size_t kPatternsMax = 10'000;
constexpr std::size_t kAlternativesMax = 4096;

/// Components between runs of slashes; "a//b" has two, "/a" begins with an empty one.
std::vector<std::u16string_view> Components(std::u16string_view path) {
  std::vector<std::u16string_view> parts;
  for (std::size_t start = 0;;) {
    const std::size_t end = path.find(u'/', start);
    parts.push_back(path.substr(start, end - start));
    if (end == path.npos) return parts;
    start = std::min(path.find_first_not_of(u'/', end), path.size());
  }
}

bool IsDots(std::u16string_view component) { return component == u"." || component == u".."; }

bool MatchesPath(const std::vector<GlobSegment>& pattern, const std::vector<std::u16string_view>& path) {
  // matches[i]: the segments from the current one on match the components from i on; filled from the last segment.
  std::vector<char> matches(path.size() + 1, 0);
  matches[path.size()] = 1;
  for (std::size_t segment = pattern.size(); segment-- > 0;) {
    const GlobSegment& glob = pattern[segment];
    std::vector<char> now(path.size() + 1, 0);
    for (std::size_t i = path.size() + 1; i-- > 0;) {
      if (!glob.any_depth()) {
        now[i] = i < path.size() && matches[i + 1] != 0 && glob.Matches(path[i]);
      } else if (segment + 1 == pattern.size()) {
        // At the end it stands for at least one component, none of them "." or "..".
        now[i] = i < path.size() && !IsDots(path[i]) && (i + 1 == path.size() || now[i + 1] != 0);
      } else {
        now[i] = matches[i] != 0 || (i < path.size() && !IsDots(path[i]) && now[i + 1] != 0);
      }
    }
    matches = std::move(now);
  }
  return matches[0] != 0;
}

/// Most patterns are a name with at most one star: those need no states.
std::optional<std::pair<std::string, std::string>> FindAffixes(std::string_view text) {
  const bool plain = std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return c == '*' || c == '.' || c == '_' || c == '-' || (c < 0x80 && std::isalnum(c) != 0);
  });
  const std::size_t star = text.find('*');
  if (!plain || star == text.npos || text.find('*', star + 1) != text.npos) return std::nullopt;
  return std::pair{std::string(text.substr(0, star)), std::string(text.substr(star + 1))};
}

}  // namespace

Result<Pattern> Pattern::Compile(std::string_view text) {
  if (Utf16Length(text) > kPatternUnitsMax) {
    return Fail(Code::kInvalid, "pattern {:?}... is longer than {} characters", text.substr(0, 40), kPatternUnitsMax);
  }
  if (text.find('\0') != text.npos) return Fail(Code::kInvalid, "pattern {:?} contains a NUL", text);
  Pattern pattern;
  pattern.text_ = text;
  pattern.last_component_only_ = text.find('/') == text.npos;
  pattern.never_ = text.starts_with('#');
  while (text.starts_with('!')) {
    pattern.negated_ = !pattern.negated_;
    text.remove_prefix(1);
  }
  pattern.affixes_ = FindAffixes(text);
  for (const std::string& word :
       WRIT_TRY(fmt::format("pattern {:?}", pattern.text_), ExpandBraces(text, kAlternativesMax))) {
    const std::u16string units = ToCodeUnits(word);
    Segments segments;
    for (const std::u16string_view part : Components(units)) segments.emplace_back(part);
    pattern.alternatives_.push_back(std::move(segments));
  }
  return pattern;
}

bool Pattern::Matches(std::string_view path) const {
  if (never_) return false;
  if (last_component_only_) path = path.substr(path.rfind('/') + 1);
  if (affixes_) {
    const auto& [first, last] = *affixes_;
    const bool dots = path.empty() || (path == "." && first.empty()) || (path == ".." && first.empty());
    const bool matched =
        !dots && path.size() >= first.size() + last.size() && path.starts_with(first) && path.ends_with(last);
    return matched != negated_;
  }
  const std::u16string units = ToCodeUnits(path);
  const auto components = Components(units);
  const bool matched = std::any_of(alternatives_.begin(), alternatives_.end(),
                                   [&](const Segments& segments) { return MatchesPath(segments, components); });
  return matched != negated_;
}

Result<PatternList> PatternList::Compile(const std::vector<std::string>& texts) {
  if (texts.size() > kPatternsMax) return Fail(Code::kExhausted, "more than {} patterns", kPatternsMax);
  PatternList list;
  for (const std::string& text : texts) list.patterns_.push_back(WRIT_TRY("compile", Pattern::Compile(text)));
  return list;
}

bool PatternList::Matches(std::string_view path) const {
  return std::any_of(patterns_.begin(), patterns_.end(), [&](const Pattern& p) { return p.Matches(path); });
}

std::vector<std::string> PatternList::texts() const {
  std::vector<std::string> texts;
  for (const Pattern& pattern : patterns_) texts.push_back(pattern.text());
  return texts;
}

const std::vector<std::string>& DefaultDenyPatterns() {
  static const std::vector<std::string> patterns = {".env", ".env.*", "*.pem", "*.key", "id_rsa*", "id_ed25519*"};
  return patterns;
}

}  // namespace writ::workspace
