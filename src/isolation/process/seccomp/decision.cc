#include "isolation/process/seccomp/decision.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <optional>
#include <vector>

namespace writ::seccomp {
namespace {

static_assert(std::endian::native == std::endian::little, "halves of arguments are addressed as little-endian");

/// A line with the conditions that are still open.
struct OpenLine {
  Action action;
  std::vector<Condition> conditions;
};

/// Whether `asked` holds, given that the equality of `known` is `equal`; nothing when that does not tell.
std::optional<bool> Follows(const Condition& known, bool equal, const Condition& asked) {
  if (known.argument != asked.argument || known.wide != asked.wide) return std::nullopt;
  const std::uint64_t common = known.mask & asked.mask;
  const bool agree = (known.value & common) == (asked.value & common);
  if (equal) {
    if (!agree) return !asked.wanted;                         // they cannot both be equal
    if (common == asked.mask) return asked.wanted;            // every bit that is asked for is known
  } else if (agree && common == known.mask) {
    return !asked.wanted;                                     // asked being equal would make known equal
  }
  return std::nullopt;
}

/// What is left of the lines once the equality of `known` is known.
std::vector<OpenLine> Given(const std::vector<OpenLine>& lines, const Condition& known, bool equal) {
  std::vector<OpenLine> left;
  for (const auto& line : lines) {
    OpenLine open{line.action, {}};
    bool possible = true;
    for (const auto& condition : line.conditions) {
      const auto holds = Follows(known, equal, condition);
      if (!holds) open.conditions.push_back(condition);
      possible = possible && holds.value_or(true);
    }
    if (!possible) continue;
    left.push_back(std::move(open));
    if (left.back().conditions.empty()) break;  // nothing after it can be reached
  }
  return left;
}

const Decision* Build(DecisionPool& pool, const std::vector<OpenLine>& lines) {
  if (lines.front().conditions.empty()) return pool.Answer(lines.front().action);
  const Condition& first = lines.front().conditions.front();
  const Decision* equal = Build(pool, Given(lines, first, true));
  const Decision* differs = Build(pool, Given(lines, first, false));
  const auto offset = static_cast<std::uint32_t>(offsetof(seccomp_data, args) + sizeof(std::uint64_t) * first.argument);
  const auto high_mask = static_cast<std::uint32_t>(first.mask >> 32);
  if (first.wide && high_mask != 0) {
    equal = pool.Equal({offset + 4, high_mask}, static_cast<std::uint32_t>(first.value >> 32), equal, differs);
  }
  const auto low_mask = static_cast<std::uint32_t>(first.mask);
  if (low_mask == 0) return equal;
  return pool.Equal({offset, low_mask}, static_cast<std::uint32_t>(first.value), equal, differs);
}

}  // namespace

const Decision* DecisionPool::Keep(const Decision& decision) { return &kept_.try_emplace(decision, decision).first->second; }

const Decision* DecisionPool::Answer(Action action) { return Keep({Decision::Kind::kAnswer, action.ret, {}, nullptr, nullptr}); }

const Decision* DecisionPool::Equal(Word word, std::uint32_t value, const Decision* yes, const Decision* no) {
  if (yes == no) return yes;
  return Keep({Decision::Kind::kEqual, value, word, yes, no});
}

const Decision* DecisionPool::AtLeast(Word word, std::uint32_t value, const Decision* yes, const Decision* no) {
  if (yes == no) return yes;
  return Keep({Decision::Kind::kAtLeast, value, word, yes, no});
}

const Decision* DecisionPool::FromLines(std::span<const Rule* const> lines) {
  std::vector<OpenLine> open;
  for (const Rule* line : lines) {
    const auto conditions = line->when.all();
    open.push_back({line->action, {conditions.begin(), conditions.end()}});
  }
  return Build(*this, open);
}

}  // namespace writ::seccomp
