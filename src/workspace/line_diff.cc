#include "workspace/line_diff.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <unordered_map>

namespace writ::workspace {
namespace {

using Index = std::int64_t;

/// A part of the comparison: old lines [a0, a1) with new lines [b0, b1).
struct Box {
  Index a0, a1, b0, b1;
};

class Differ {
 public:
  Differ(std::vector<int> a, std::vector<int> b, std::uint64_t steps_max)
      : a_(std::move(a)), b_(std::move(b)), steps_left_(steps_max), a_gone_(a_.size()), b_new_(b_.size()) {
    const std::size_t diagonals = a_.size() + b_.size() + 3;
    origin_ = static_cast<Index>(b_.size()) + 1;
    forward_.resize(diagonals);
    backward_.resize(diagonals);
  }

  std::vector<LineEdit> Run() {
    std::vector<Box> boxes{{0, static_cast<Index>(a_.size()), 0, static_cast<Index>(b_.size())}};
    while (!boxes.empty()) {
      Box box = boxes.back();
      boxes.pop_back();
      while (box.a0 < box.a1 && box.b0 < box.b1 && a_[box.a0] == b_[box.b0]) ++box.a0, ++box.b0;
      while (box.a0 < box.a1 && box.b0 < box.b1 && a_[box.a1 - 1] == b_[box.b1 - 1]) --box.a1, --box.b1;
      std::optional<Split> split;
      if (box.a0 < box.a1 && box.b0 < box.b1) split = Middle(box);
      if (!split) {
        std::fill(a_gone_.begin() + box.a0, a_gone_.begin() + box.a1, 1);
        std::fill(b_new_.begin() + box.b0, b_new_.begin() + box.b1, 1);
        continue;
      }
      boxes.push_back({split->a, box.a1, split->b, box.b1});
      boxes.push_back({box.a0, split->a, box.b0, split->b});
    }
    return Collect();
  }

 private:
  struct Split {
    Index a, b;
  };

  /// A point on a shortest path through the box, found from both ends at once; nothing when it costs too much.
  /// forward_[d] (backward_[d]): how far the best path on diagonal d = a - b has come from the start (the end).
  std::optional<Split> Middle(const Box& box) {
    const Index lowest = box.a0 - box.b1, highest = box.a1 - box.b0;
    const Index start = box.a0 - box.b0, end = box.a1 - box.b1;
    const bool odd = ((start - end) & 1) != 0;
    Index fmin = start, fmax = start, bmin = end, bmax = end;
    Forward(start) = box.a0;
    Backward(end) = box.a1;
    for (;;) {
      // Widen by one diagonal at each side; at the border of the box narrow instead, which keeps the parity.
      fmin > lowest ? (void)(Forward(--fmin - 1) = -1) : (void)++fmin;
      fmax < highest ? (void)(Forward(++fmax + 1) = -1) : (void)--fmax;
      for (Index d = fmax; d >= fmin; d -= 2) {
        Index a = std::max(Forward(d - 1) + 1, Forward(d + 1));
        Index b = a - d;
        const Index from = a;
        while (a < box.a1 && b < box.b1 && a_[a] == b_[b]) ++a, ++b;
        Forward(d) = a;
        if (odd && bmin <= d && d <= bmax && Backward(d) <= a) return Inside(box, a, b);
        if (!Spend(a - from)) return std::nullopt;
      }
      bmin > lowest ? (void)(Backward(--bmin - 1) = kFar) : (void)++bmin;
      bmax < highest ? (void)(Backward(++bmax + 1) = kFar) : (void)--bmax;
      for (Index d = bmax; d >= bmin; d -= 2) {
        Index a = std::min(Backward(d - 1), Backward(d + 1) - 1);
        Index b = a - d;
        const Index from = a;
        while (a > box.a0 && b > box.b0 && a_[a - 1] == b_[b - 1]) --a, --b;
        Backward(d) = a;
        if (!odd && fmin <= d && d <= fmax && a <= Forward(d)) return Inside(box, a, b);
        if (!Spend(from - a)) return std::nullopt;
      }
    }
  }

  /// Only a point that makes both parts smaller than the box is of use.
  static std::optional<Split> Inside(const Box& box, Index a, Index b) {
    const bool inside = box.a0 <= a && a <= box.a1 && box.b0 <= b && b <= box.b1;
    const bool corner = (a == box.a0 && b == box.b0) || (a == box.a1 && b == box.b1);
    if (!inside || corner) return std::nullopt;
    return Split{a, b};
  }

  bool Spend(Index compared) {
    const auto steps = static_cast<std::uint64_t>(compared) + 1;
    if (steps > steps_left_) {
      steps_left_ = 0;
      return false;
    }
    steps_left_ -= steps;
    return true;
  }

  std::vector<LineEdit> Collect() const {
    std::vector<LineEdit> edits;
    std::size_t a = 0, b = 0;
    while (a < a_.size() || b < b_.size()) {
      const LineEdit start{a, a, b, b};
      while (a < a_.size() && a_gone_[a] != 0) ++a;
      while (b < b_.size() && b_new_[b] != 0) ++b;
      if (a > start.old_begin || b > start.new_begin) {
        edits.push_back({start.old_begin, a, start.new_begin, b});
      } else {
        ++a, ++b;
      }
    }
    return edits;
  }

  Index& Forward(Index diagonal) { return forward_[static_cast<std::size_t>(diagonal + origin_)]; }
  Index& Backward(Index diagonal) { return backward_[static_cast<std::size_t>(diagonal + origin_)]; }

  static constexpr Index kFar = std::numeric_limits<Index>::max() / 2;

  const std::vector<int> a_, b_;
  std::uint64_t steps_left_;
  std::vector<char> a_gone_, b_new_;
  std::vector<Index> forward_, backward_;
  Index origin_ = 0;
};

}  // namespace

std::vector<std::string_view> SplitLines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::size_t length = end == text.npos ? text.size() : end + 1;
    lines.push_back(text.substr(0, length));
    text.remove_prefix(length);
  }
  return lines;
}

std::vector<LineEdit> DiffLines(const std::vector<std::string_view>& old_lines,
                                const std::vector<std::string_view>& new_lines, std::uint64_t steps_max) {
  std::unordered_map<std::string_view, int> numbers;
  const auto number = [&numbers](const std::vector<std::string_view>& lines) {
    std::vector<int> out;
    out.reserve(lines.size());
    for (const std::string_view line : lines) {
      out.push_back(numbers.emplace(line, static_cast<int>(numbers.size())).first->second);
    }
    return out;
  };
  std::vector<int> a = number(old_lines), b = number(new_lines);
  return Differ(std::move(a), std::move(b), steps_max).Run();
}

}  // namespace writ::workspace
