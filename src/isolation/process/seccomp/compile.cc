#include "isolation/process/seccomp/compile.h"

#include <linux/audit.h>
#include <seccomp.h>

#include <algorithm>
#include <cstddef>
#include <map>
#include <string>

#include "isolation/process/seccomp/assemble.h"
#include "isolation/process/seccomp/decision.h"

namespace writ::seccomp {
namespace {

constexpr std::uint32_t kX32Bit = 0x40000000;
constexpr std::uint32_t kNoCall = 0xffffffff;  // what a tracer leaves to skip a call, and what syscall(-1) asks for
constexpr std::size_t kArguments = 6;
constexpr Word kNumber{offsetof(seccomp_data, nr)}, kArchitecture{offsetof(seccomp_data, arch)};

/// What to answer to one call: the lines of the policy that name it, in order.
using Lines = std::vector<const Rule*>;

/// Numbers from `first` up to the next range are decided alike.
struct Range {
  std::uint32_t first = 0;
  const Decision* decision = nullptr;
};

Result<std::vector<Range>> MakeRanges(Policy policy, const Architecture& architecture, DecisionPool& pool) {
  std::map<std::uint32_t, Lines> calls;
  for (const auto& table : policy) {
    for (const auto& rule : table) {
      const int number = WRIT_TRY("seccomp policy", architecture.number(rule.syscall));
      if (number >= 0) calls[static_cast<std::uint32_t>(number)].push_back(&rule);
    }
  }
  const Decision* const unlisted = pool.Answer(kUnlisted);
  std::vector<Range> ranges;
  std::uint32_t next = 0;  // first number that no range covers yet
  const auto cover = [&](std::uint32_t first, const Decision* decision) {
    if (ranges.empty() || ranges.back().decision != decision) ranges.push_back({first, decision});
  };
  for (const auto& [number, lines] : calls) {
    if (number > next) cover(next, unlisted);
    cover(number, pool.FromLines(lines));
    next = number + 1;
  }
  cover(next, unlisted);
  return ranges;
}

/// Binary search.
const Decision* Search(DecisionPool& pool, std::span<const Range> ranges) {
  if (ranges.size() == 1) return ranges.front().decision;
  const std::size_t middle = ranges.size() / 2;
  return pool.AtLeast(kNumber, ranges[middle].first, Search(pool, ranges.subspan(middle)),
                      Search(pool, ranges.first(middle)));
}

}  // namespace

Result<Architecture> FindArchitecture(std::string_view name) {
  struct Known {
    std::string_view name;
    std::uint32_t audit, libseccomp;
    bool has_x32;
  };
  static constexpr Known kKnown[] = {{"x86_64", AUDIT_ARCH_X86_64, SCMP_ARCH_X86_64, true},
                                     {"aarch64", AUDIT_ARCH_AARCH64, SCMP_ARCH_AARCH64, false}};
  const auto* known = std::ranges::find(kKnown, name, &Known::name);
  if (known == std::end(kKnown)) {
    return Fail(Code::kNotFound, "no seccomp filter for architecture '{}'; known: x86_64, aarch64", name);
  }
  const auto resolve = [token = known->libseccomp](std::string_view call) -> Result<int> {
    const int number = ::seccomp_syscall_resolve_name_arch(token, std::string(call).c_str());
    if (number == __NR_SCMP_ERROR) return Fail(Code::kNotFound, "no system call is named '{}'", call);
    return number;
  };
  return Architecture{known->name, known->audit, known->has_x32, resolve};
}

Result<> CheckPolicy(Policy policy) {
  std::map<std::string_view, Lines> calls;
  for (const auto& table : policy) {
    for (const auto& rule : table) {
      if (rule.reason.empty()) return Fail(Code::kInvalid, "a line for '{}' gives no reason", rule.syscall);
      auto& lines = calls[rule.syscall];
      if (!lines.empty() && lines.back()->when.count == 0) {
        return Fail(Code::kInvalid, "'{}' ({}) can never be reached: an earlier line answers always", rule.syscall,
                    rule.reason);
      }
      const auto same = [&](const Rule* other) { return other->when == rule.when; };
      if (std::ranges::any_of(lines, same)) {
        return Fail(Code::kInvalid, "'{}' ({}) repeats the conditions of an earlier line", rule.syscall, rule.reason);
      }
      for (const auto& condition : rule.when.all()) {
        if (condition.argument >= kArguments || condition.mask == 0 || (!condition.wide && condition.mask >> 32)) {
          return Fail(Code::kInvalid, "'{}' ({}) has a condition that tests nothing", rule.syscall, rule.reason);
        }
      }
      lines.push_back(&rule);
    }
  }
  for (const auto& [name, lines] : calls) {
    if (lines.back()->when.count != 0) {
      return Fail(Code::kInvalid, "'{}' has no last line without conditions", name);
    }
  }
  return {};
}

Result<std::vector<sock_filter>> Compile(Policy policy, const Architecture& architecture) {
  WRIT_TRY("seccomp policy", CheckPolicy(policy));
  DecisionPool pool;
  const auto ranges = WRIT_TRY(architecture.name, MakeRanges(policy, architecture, pool));
  const Decision* const kill = pool.Answer(kKill);
  const Decision* calls = Search(pool, ranges);
  if (architecture.has_x32) {
    calls = pool.AtLeast(kNumber, kX32Bit, pool.Equal(kNumber, kNoCall, pool.Answer(kUnlisted), kill), calls);
  }
  const auto program = Assemble(*pool.Equal(kArchitecture, architecture.audit, calls, kill));
  if (program.size() > BPF_MAXINSNS) {
    return Fail(Code::kExhausted, "filter for {} has {} instructions, the kernel takes {}", architecture.name,
                program.size(), BPF_MAXINSNS);
  }
  return program;
}

}  // namespace writ::seccomp
