#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace writ::workspace {

/// UTF-16 code units, as the reference matches them; a byte that is not UTF-8 becomes the lone surrogate 0xDC00+byte.
std::u16string ToCodeUnits(std::string_view text);

/// The part of a pattern between two slashes, compiled. Matching takes time proportional to pattern length times
/// text length, whatever the pattern: no backtracking.
class GlobSegment {
 public:
  explicit GlobSegment(std::u16string_view pattern);
  bool any_depth() const { return any_depth_; }  ///< the segment is `**`
  bool Matches(std::u16string_view component) const;

 private:
  enum class Kind : std::uint8_t { kEnd, kLiteral, kAny, kStar, kSet, kChoice, kNot };
  struct Range {
    char16_t first, last;
  };
  /// A state; `next` is where matching goes on after it.
  struct Node {
    Kind kind = Kind::kEnd;
    int next = -1;
    char16_t unit = 0;
    bool inverted = false;
    std::vector<Range> ranges;
    std::vector<int> choices;  ///< kChoice: any of these; kNot: none of these may match to the end
  };
  class Parser;

  bool Step(const Node& node, std::u16string_view text, std::size_t at, const std::vector<char>& here,
            const std::vector<char>& after) const;

  std::vector<Node> nodes_;  // nodes_[0] is the end; successors come before predecessors, but for loops
  int start_ = 0;
  std::u16string literal_;
  bool is_literal_ = false, any_depth_ = false, starts_with_dot_ = false;
};

}  // namespace writ::workspace
