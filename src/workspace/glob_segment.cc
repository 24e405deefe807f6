#include "workspace/glob_segment.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/utf8.h"

namespace writ::workspace {

std::u16string ToCodeUnits(std::string_view text) {
  std::u16string units;
  units.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Step step = DecodeUtf8(text, at);
    if (!step.valid) {
      units += static_cast<char16_t>(0xDC00 + static_cast<unsigned char>(text[at]));
      ++at;
      continue;
    }
    if (step.code >= 0x10000) {
      units += static_cast<char16_t>(0xD7C0 + (step.code >> 10));
      units += static_cast<char16_t>(0xDC00 + (step.code & 0x3FF));
    } else {
      units += static_cast<char16_t>(step.code);
    }
    at += step.bytes;
  }
  return units;
}

/// Compiles from the end to the start, so that each state knows where matching goes on.
class GlobParser {
 public:
  GlobParser(GlobSegment& out, std::u16string_view pattern) : out_(out), pattern_(pattern) {}

  void Run() {
    out_.states_.push_back({});
    const std::vector<Item> items = Items(0, pattern_.size());
    out_.start_ = Link(items, 0);
  }

 private:
  using Kind = GlobSegment::Kind;
  using State = GlobSegment::State;

  /// A piece of the pattern: one state, or a group `X(a|b)` with its alternatives.
  struct Item {
    State state;
    char16_t group = 0;  // one of ? * + @ ! for a group
    std::vector<std::vector<Item>> alternatives;
  };

  /// Reads pattern_[at, end) as a sequence.
  std::vector<Item> Items(std::size_t at, std::size_t end) {
    std::vector<Item> items;
    while (at < end) {
      const char16_t unit = pattern_[at];
      if (const auto close = GroupEnd(at, end)) {
        Item item{.state = {}, .group = unit, .alternatives = {}};
        std::size_t from = at + 2;
        for (std::size_t bar = from; bar <= *close; bar = Skip(bar, *close + 1)) {
          if (bar != *close && pattern_[bar] != u'|') continue;
          item.alternatives.push_back(Items(from, bar));
          from = bar + 1;
        }
        items.push_back(std::move(item));
        at = *close + 1;
        continue;
      }
      if (unit == u'[') {
        if (auto set = Set(at, end)) {
          items.push_back({.state = std::move(set->first), .group = 0, .alternatives = {}});
          at = set->second;
          continue;
        }
      }
      if (unit == u'*') {
        while (at < end && pattern_[at] == u'*' && !GroupEnd(at, end)) ++at;
        items.push_back({.state = {.kind = Kind::kStar}, .group = 0, .alternatives = {}});
        continue;
      }
      State state{.kind = Kind::kLiteral, .unit = unit};
      if (unit == u'?') state = {.kind = Kind::kSet, .inverted = true};
      if (unit == u'\\' && at + 1 < end) state.unit = pattern_[++at];
      items.push_back({.state = std::move(state), .group = 0, .alternatives = {}});
      ++at;
    }
    return items;
  }

  /// The next position on the same level: past an escape, a set or a whole group.
  std::size_t Skip(std::size_t at, std::size_t end) {
    if (pattern_[at] == u'\\') return at + 2;
    if (const auto close = GroupEnd(at, end)) return *close + 1;
    if (pattern_[at] == u'[') {
      if (const auto set = Set(at, end)) return set->second;
    }
    return at + 1;
  }

  /// Where the group that starts at `at` closes; nothing when none starts there or it is not closed.
  std::optional<std::size_t> GroupEnd(std::size_t at, std::size_t end) {
    if (at + 1 >= end || pattern_[at + 1] != u'(') return std::nullopt;
    if (std::u16string_view(u"?*+@!").find(pattern_[at]) == std::u16string_view::npos) return std::nullopt;
    int depth = 0;
    for (std::size_t i = at + 1; i < end; ++i) {
      if (pattern_[i] == u'\\') {
        ++i;
      } else if (pattern_[i] == u'(') {
        ++depth;
      } else if (pattern_[i] == u')' && --depth == 0) {
        return i;
      }
    }
    return std::nullopt;
  }

  /// A bracket expression and the position after it; nothing when it is not closed or a range is reversed.
  std::optional<std::pair<State, std::size_t>> Set(std::size_t at, std::size_t end) {
    State state{.kind = Kind::kSet};
    std::size_t i = at + 1;
    if (i < end && (pattern_[i] == u'!' || pattern_[i] == u'^')) state.inverted = true, ++i;
    for (bool first = true; i < end; first = false) {
      if (pattern_[i] == u']' && !first) return std::pair{std::move(state), i + 1};
      if (pattern_.substr(i).starts_with(u"[:")) {
        if (const std::size_t close = pattern_.find(u":]", i + 2);
            close < end && AddClass(pattern_.substr(i + 2, close - i - 2), state.ranges)) {
          i = close + 2;
          continue;
        }
      }
      const char16_t low = Unit(i, end);
      char16_t high = low;
      if (i + 1 < end && pattern_[i] == u'-' && pattern_[i + 1] != u']') high = Unit(++i, end);
      // A reversed range matches nothing; the reference drops it in the same way.
      if (low <= high) state.ranges.push_back({low, high});
    }
    return std::nullopt;
  }

  char16_t Unit(std::size_t& at, std::size_t end) {
    if (pattern_[at] == u'\\' && at + 1 < end) ++at;
    return pattern_[at++];
  }

  static bool AddClass(std::u16string_view name, std::vector<GlobSegment::Range>& ranges) {
    struct Class {
      std::u16string_view name;
      std::vector<GlobSegment::Range> ranges;
    };
    static const std::vector<Class> classes = {
        {u"alnum", {{u'0', u'9'}, {u'A', u'Z'}, {u'a', u'z'}}},
        {u"alpha", {{u'A', u'Z'}, {u'a', u'z'}}},
        {u"ascii", {{0, 0x7F}}},
        {u"blank", {{u' ', u' '}, {u'\t', u'\t'}}},
        {u"cntrl", {{0, 0x1F}, {0x7F, 0x9F}}},
        {u"digit", {{u'0', u'9'}}},
        {u"graph", {{0x21, 0x7E}}},
        {u"lower", {{u'a', u'z'}}},
        {u"print", {{0x20, 0x7E}}},
        {u"punct", {{0x21, 0x2F}, {0x3A, 0x40}, {0x5B, 0x60}, {0x7B, 0x7E}}},
        {u"space", {{u' ', u' '}, {u'\t', u'\r'}}},
        {u"upper", {{u'A', u'Z'}}},
        {u"word", {{u'0', u'9'}, {u'A', u'Z'}, {u'_', u'_'}, {u'a', u'z'}}},
        {u"xdigit", {{u'0', u'9'}, {u'A', u'F'}, {u'a', u'f'}}},
    };
    const auto found = std::find_if(classes.begin(), classes.end(), [&](const Class& c) { return c.name == name; });
    if (found == classes.end()) return false;
    ranges.insert(ranges.end(), found->ranges.begin(), found->ranges.end());
    return true;
  }

  int Add(State state) {
    out_.states_.push_back(std::move(state));
    return static_cast<int>(out_.states_.size() - 1);
  }

  /// The first state of a sequence that goes on at `next`.
  int Link(const std::vector<Item>& items, int next) {
    for (auto item = items.rbegin(); item != items.rend(); ++item) next = LinkItem(*item, next);
    return next;
  }

  int LinkItem(const Item& item, int next) {
    if (item.group == 0) {
      State state = item.state;
      state.next = next;
      return Add(std::move(state));
    }
    State state{.kind = item.group == u'!' ? Kind::kNot : Kind::kChoice};
    int after = next;
    int loop = -1;
    if (item.group == u'*' || item.group == u'+') {
      // The alternatives go on at the loop, which is left at `next`.
      loop = Add({.kind = Kind::kChoice});
      after = loop;
      out_.has_loops_ = true;
    }
    if (item.group == u'!') {
      // Any text, which the negated alternatives with the rest of the pattern do not match as a whole.
      state.next = Add({.kind = Kind::kStar, .next = next});
    }
    for (const auto& alternative : item.alternatives) state.choices.push_back(Link(alternative, after));
    if (item.group == u'?') state.choices.push_back(next);
    if (loop < 0) return Add(std::move(state));
    out_.states_[loop].choices = state.choices;
    out_.states_[loop].choices.push_back(next);
    return item.group == u'*' ? loop : Add(std::move(state));
  }

  GlobSegment& out_;
  const std::u16string_view pattern_;
};

GlobSegment::GlobSegment(std::u16string_view pattern)
    : any_depth_(pattern == u"**"), dots_allowed_(pattern.starts_with(u'.')) {
  GlobParser(*this, pattern).Run();
}

bool GlobSegment::Evaluate(const State& state, std::u16string_view text, std::size_t at, const Row& here,
                           const Row& after) const {
  const bool more = at < text.size();
  const auto any = [&] {
    return std::any_of(state.choices.begin(), state.choices.end(), [&](int choice) { return here[choice] != 0; });
  };
  switch (state.kind) {
    case Kind::kEnd: return !more;
    case Kind::kLiteral: return more && text[at] == state.unit && after[state.next] != 0;
    case Kind::kSet: {
      if (!more) return false;
      const bool inside = std::any_of(state.ranges.begin(), state.ranges.end(),
                                      [&](Range range) { return range.first <= text[at] && text[at] <= range.last; });
      return inside != state.inverted && after[state.next] != 0;
    }
    case Kind::kStar: return here[state.next] != 0 || (more && after[&state - states_.data()] != 0);
    case Kind::kChoice: return any();
    case Kind::kNot: return !any() && here[state.next] != 0;
  }
  return false;
}

bool GlobSegment::Matches(std::u16string_view component) const {
  // What is special never stands for "nothing", "." or "..".
  if (component.empty()) return start_ == 0;
  if (!dots_allowed_ && (component == u"." || component == u"..")) return false;
  Row here(states_.size()), after(states_.size());
  for (std::size_t at = component.size() + 1; at-- > 0;) {
    std::swap(here, after);
    std::fill(here.begin(), here.end(), 0);
    // Loops depend on states that come later; repeating reaches the least solution.
    for (std::size_t round = 0, changed = 1; changed != 0 && round <= states_.size(); ++round) {
      changed = 0;
      for (std::size_t i = 0; i < states_.size(); ++i) {
        const char value = Evaluate(states_[i], component, at, here, after) ? 1 : 0;
        changed |= here[i] != value;
        here[i] = value;
      }
      if (!has_loops_) break;
    }
  }
  return here[start_] != 0;
}

}  // namespace writ::workspace
