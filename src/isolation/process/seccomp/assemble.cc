#include "isolation/process/seccomp/assemble.h"

#include <linux/bpf_common.h>

#include <algorithm>
#include <map>
#include <set>

namespace writ::seccomp {
namespace {

constexpr std::size_t kJumpMax = 255;  // of a conditional jump; the plain one reaches everything

/// Writes a program from its end to its start, because jumps only lead forward: what a jump leads to stands already.
class Assembler {
 public:
  explicit Assembler(const Decision& start) {
    entered_unloaded_.insert(&start);
    FindEntries(start);
    Place(start);
  }

  std::vector<sock_filter> Program() && {
    std::ranges::reverse(reversed_);
    return std::move(reversed_);
  }

 private:
  struct Entry {
    std::size_t load = 0;    ///< where to enter
    std::size_t loaded = 0;  ///< where to enter with the word in the accumulator
  };

  /// Which questions are reached from one about another word.
  void FindEntries(const Decision& decision) {
    if (decision.kind == Decision::Kind::kAnswer || !seen_.insert(&decision).second) return;
    for (const Decision* next : {decision.yes, decision.no}) {
      if (next->word != decision.word) entered_unloaded_.insert(next);
      FindEntries(*next);
    }
  }

  void Place(const Decision& decision) {
    if (placed_.contains(&decision)) return;
    if (decision.kind == Decision::Kind::kAnswer) {
      placed_[&decision] = {Push(BPF_RET | BPF_K, decision.value), 0};
      return;
    }
    Place(*decision.no);
    Place(*decision.yes);
    const std::size_t no = Reach(*decision.no, decision.word);
    const std::size_t yes = Reach(*decision.yes, decision.word);
    const auto test = static_cast<std::uint16_t>(decision.kind == Decision::Kind::kEqual ? BPF_JEQ : BPF_JGE);
    const std::size_t at = reversed_.size();
    reversed_.push_back({static_cast<std::uint16_t>(BPF_JMP | test | BPF_K), static_cast<std::uint8_t>(at - yes - 1),
                         static_cast<std::uint8_t>(at - no - 1), decision.value});
    placed_[&decision] = {at, at};
    if (!entered_unloaded_.contains(&decision)) return;
    if (decision.word.mask != 0xffffffff) Push(BPF_ALU | BPF_AND | BPF_K, decision.word.mask);
    placed_[&decision].load = Push(BPF_LD | BPF_W | BPF_ABS, decision.word.offset);
  }

  std::size_t Push(std::uint16_t code, std::uint32_t k) {
    reversed_.push_back({code, 0, 0, k});
    return reversed_.size() - 1;
  }

  /// An index from which `target` goes on, near enough for a conditional jump written after at most one more of these.
  std::size_t Reach(const Decision& target, Word in_accumulator) {
    Entry& entry = placed_.at(&target);
    const bool answer = target.kind == Decision::Kind::kAnswer;
    const std::size_t at = !answer && target.word == in_accumulator ? entry.loaded : entry.load;
    if (reversed_.size() + 1 - at - 1 <= kJumpMax) return at;
    if (answer) return entry.load = Push(BPF_RET | BPF_K, target.value);
    return Push(BPF_JMP | BPF_JA, static_cast<std::uint32_t>(reversed_.size() - at - 1));
  }

  std::vector<sock_filter> reversed_;
  std::map<const Decision*, Entry> placed_;
  std::set<const Decision*> seen_, entered_unloaded_;
};

}  // namespace

std::vector<sock_filter> Assemble(const Decision& start) {
  return Assembler(start).Program();
}

}  // namespace writ::seccomp
