#include "base/nearest.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace writ {
namespace {

constexpr std::size_t kNameBytesMax = 64;

char Fold(char c) {
  if (c >= 'A' && c <= 'Z') return static_cast<char>(c - 'A' + 'a');
  return c == '_' ? '-' : c;
}

/// Edits (insert, delete, replace, swap of neighbours) that make `a` into `b`, separators left out of both.
std::size_t Distance(std::string_view a, std::string_view b) {
  std::array<std::array<std::size_t, kNameBytesMax + 1>, 3> rows{};
  for (std::size_t j = 0; j <= b.size(); ++j) rows[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    auto& row = rows[i % 3];
    const auto& above = rows[(i - 1) % 3];
    const auto& two_above = rows[(i + 1) % 3];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replace = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, replace});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], two_above[j - 2] + 1);
      }
    }
  }
  return rows[a.size() % 3][b.size()];
}

std::string Folded(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (Fold(c) != '-') out += Fold(c);
  }
  return out;
}

}  // namespace

std::string_view NearestName(std::string_view name, std::span<const std::string_view> candidates) {
  if (name.size() > kNameBytesMax) return {};
  const std::string wanted = Folded(name);
  std::string_view best;
  std::size_t best_distance = kNameBytesMax;
  for (const std::string_view candidate : candidates) {
    if (candidate.size() > kNameBytesMax) continue;
    const std::string folded = Folded(candidate);
    const std::size_t distance = Distance(wanted, folded);
    const std::size_t most = std::max<std::size_t>(1, std::max(wanted.size(), folded.size()) / 3);
    if (distance <= most && distance < std::min(folded.size(), best_distance)) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

std::string DidYouMean(std::string_view name, std::span<const std::string_view> candidates) {
  const std::string_view nearest = NearestName(name, candidates);
  if (nearest.empty()) return {};
  return fmt::format("; did you mean \"{}\"?", nearest);
}

}  // namespace writ
