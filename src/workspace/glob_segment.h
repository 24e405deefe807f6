#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace writ::workspace {

/// UTF-16 code units, as the reference matches them; a byte that is not UTF-8 becomes the lone surrogate 0xDC00+byte.
std::u16string ToCodeUnits(std::string_view text);

/// The part of a pattern between two slashes, compiled into states. Matching takes time and memory proportional to
/// pattern length times text length: no backtracking.
class GlobSegment {
 public:
  explicit GlobSegment(std::u16string_view pattern);
  bool any_depth() const { return any_depth_; }  ///< the segment is `**`
  bool Matches(std::u16string_view component) const;

 private:
  friend class GlobParser;
  enum class Kind : std::uint8_t {
    kEnd,      ///< matches at the end of the text
    kLiteral,  ///< one given unit
    kSet,      ///< one unit inside (or outside) ranges; no ranges and inverted: any unit
    kStar,     ///< any number of units
    kChoice,   ///< goes on at one of `choices`
    kNot       ///< goes on at `next` after any number of units, unless one of `choices` matches up to the end
  };
  struct Range {
    char16_t first, last;
  };
  struct State {
    Kind kind = Kind::kEnd;
    bool inverted = false;
    char16_t unit = 0;
    int next = 0;
    std::vector<Range> ranges = {};
    std::vector<int> choices = {};
  };
  using Row = std::vector<char>;  ///< per state: whether it matches from one position of the text to its end

  bool Evaluate(const State& state, std::u16string_view text, std::size_t at, const Row& here, const Row& after) const;

  std::vector<State> states_;  ///< the first is the end; a state follows its successors, except in loops
  int start_ = 0;
  bool has_loops_ = false, any_depth_ = false, dots_allowed_ = false;
};

}  // namespace writ::workspace
