#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <span>

#include "isolation/process/seccomp/rule.h"

namespace writ::seccomp {

/// A 32-bit word of the kernel's seccomp_data, seen through a mask.
struct Word {
  std::uint32_t offset = 0, mask = 0xffffffff;
  auto operator<=>(const Word&) const = default;
};

/// One step of a decision: an answer, or a question about a word with two ways on.
struct Decision {
  enum class Kind : std::uint8_t { kAnswer, kEqual, kAtLeast };
  Kind kind = Kind::kAnswer;
  std::uint32_t value = 0;  ///< the answer (SECCOMP_RET_*), or what the word is compared with
  Word word;
  const Decision *yes = nullptr, *no = nullptr;
  auto operator<=>(const Decision&) const = default;
};

/// Owns decisions and shares equal ones, so that equal means the same pointer. What it returns lives as long as it.
class DecisionPool {
 public:
  const Decision* Answer(Action action);
  /// A question whose two ways lead to the same place is that place.
  const Decision* Equal(Word word, std::uint32_t value, const Decision* yes, const Decision* no);
  const Decision* AtLeast(Word word, std::uint32_t value, const Decision* yes, const Decision* no);

  /// The lines of one call, in order, as questions. Each is asked at most once on the way to an answer, also when
  /// several lines name it. Precondition: the lines passed CheckPolicy.
  const Decision* FromLines(std::span<const Rule* const> lines);

 private:
  const Decision* Keep(const Decision& decision);
  std::map<Decision, Decision> kept_;
};

}  // namespace writ::seccomp
