#include "isolation/process/seccomp/compile.h"

#include <linux/audit.h>
#include <linux/bpf_common.h>
#include <seccomp.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <map>

namespace writ::seccomp {
namespace {

static_assert(std::endian::native == std::endian::little, "halves of arguments are addressed as little-endian");

constexpr std::uint32_t kX32Bit = 0x40000000;
constexpr std::uint32_t kNoCall = 0xffffffff;  // what a tracer leaves to skip a call, and what syscall(-1) asks for
constexpr std::size_t kArguments = 6;

/// What to answer to one call: the lines of the policy that name it, in order.
using Lines = std::vector<const Rule*>;

bool SameAnswers(const Lines& a, const Lines& b) {
  return std::ranges::equal(
      a, b, [](const Rule* x, const Rule* y) { return x->action == y->action && x->when == y->when; });
}

/// Numbers from `first` up to the next range share their answers; no lines means unlisted.
struct Range {
  std::uint32_t first = 0;
  Lines lines;
};

sock_filter Statement(std::uint16_t code, std::uint32_t k) { return {code, 0, 0, k}; }
sock_filter Jump(std::uint16_t test, std::uint32_t k, std::uint8_t if_true, std::uint8_t if_false) {
  return {static_cast<std::uint16_t>(BPF_JMP | test | BPF_K), if_true, if_false, k};
}
sock_filter Load(std::size_t offset) {
  return Statement(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset));
}
sock_filter Return(Action action) { return Statement(BPF_RET | BPF_K, action.ret); }

using Program = std::vector<sock_filter>;

/// One half of one argument. Falls through when (half & mask) == value, else jumps `otherwise` instructions beyond
/// the end of this test.
void TestHalf(Program& out, std::size_t offset, std::uint32_t mask, std::uint32_t value, std::size_t otherwise) {
  out.push_back(Load(offset));
  if (mask != 0xffffffff) out.push_back(Statement(BPF_ALU | BPF_AND | BPF_K, mask));
  out.push_back(Jump(BPF_JEQ, value, 0, static_cast<std::uint8_t>(otherwise)));
}

std::size_t HalfSize(std::uint32_t mask) { return mask != 0xffffffff ? 3 : 2; }

/// Falls through when the condition holds, else jumps `otherwise` instructions beyond its end.
void TestCondition(Program& out, const Condition& condition, std::size_t otherwise) {
  const std::size_t low = offsetof(seccomp_data, args) + sizeof(std::uint64_t) * condition.argument;
  const std::size_t high = low + sizeof(std::uint32_t);
  const auto low_mask = static_cast<std::uint32_t>(condition.mask);
  const auto high_mask = static_cast<std::uint32_t>(condition.mask >> 32);
  const auto low_value = static_cast<std::uint32_t>(condition.value);
  const auto high_value = static_cast<std::uint32_t>(condition.value >> 32);
  const bool both = condition.wide && high_mask != 0;
  if (condition.wanted) {
    const std::size_t after = both ? HalfSize(high_mask) : 0;
    TestHalf(out, low, low_mask, low_value, after + otherwise);
    if (both) TestHalf(out, high, high_mask, high_value, otherwise);
    return;
  }
  // Negated: equal in every half means the condition fails.
  const std::size_t after = both ? HalfSize(high_mask) : 0;
  TestHalf(out, low, low_mask, low_value, 0);
  auto& first = out.back();
  first.jt = static_cast<std::uint8_t>(both ? 0 : otherwise);
  first.jf = static_cast<std::uint8_t>(after);
  if (both) {
    TestHalf(out, high, high_mask, high_value, 0);
    out.back().jt = static_cast<std::uint8_t>(otherwise);
  }
}

std::size_t ConditionSize(const Condition& condition) {
  Program measured;
  TestCondition(measured, condition, 0);
  return measured.size();
}

void EmitLines(Program& out, const Lines& lines) {
  for (const Rule* rule : lines) {
    // A failing condition jumps over the conditions after it and over this line's return.
    std::size_t rest = 1;
    for (const auto& condition : rule->when.all()) rest += ConditionSize(condition);
    for (const auto& condition : rule->when.all()) {
      rest -= ConditionSize(condition);
      TestCondition(out, condition, rest);
    }
    out.push_back(Return(rule->action));
  }
  if (lines.empty()) out.push_back(Return(kUnlisted));
}

/// Binary search: the accumulator holds the number of the call.
Program EmitSearch(std::span<const Range> ranges) {
  Program out;
  if (ranges.size() == 1) {
    EmitLines(out, ranges.front().lines);
    return out;
  }
  const std::size_t middle = ranges.size() / 2;
  const Program below = EmitSearch(ranges.first(middle));
  const Program above = EmitSearch(ranges.subspan(middle));
  if (below.size() <= 0xff) {
    out.push_back(Jump(BPF_JGE, ranges[middle].first, static_cast<std::uint8_t>(below.size()), 0));
  } else {  // conditional jumps reach 255 instructions; the plain one reaches everything
    out.push_back(Jump(BPF_JGE, ranges[middle].first, 0, 1));
    out.push_back(Statement(BPF_JMP | BPF_JA, static_cast<std::uint32_t>(below.size())));
  }
  out.insert(out.end(), below.begin(), below.end());
  out.insert(out.end(), above.begin(), above.end());
  return out;
}

Result<std::vector<Range>> MakeRanges(Policy policy, const Architecture& architecture) {
  std::map<std::uint32_t, Lines> calls;
  for (const auto& table : policy) {
    for (const auto& rule : table) {
      const int number = WRIT_TRY("seccomp policy", architecture.number(rule.syscall));
      if (number >= 0) calls[static_cast<std::uint32_t>(number)].push_back(&rule);
    }
  }
  std::vector<Range> ranges{{0, {}}};
  for (const auto& [number, lines] : calls) {
    if (ranges.back().first == number) {
      ranges.back().lines = lines;
    } else if (!SameAnswers(ranges.back().lines, lines)) {
      ranges.push_back({number, lines});
    }
    const bool gap = !calls.contains(number + 1);
    if (gap) ranges.push_back({number + 1, {}});
  }
  return ranges;
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
  const auto ranges = WRIT_TRY(architecture.name, MakeRanges(policy, architecture));
  Program program{
      Load(offsetof(seccomp_data, arch)),
      Jump(BPF_JEQ, architecture.audit, 1, 0),
      Return(kKill),
      Load(offsetof(seccomp_data, nr)),
  };
  if (architecture.has_x32) {
    program.push_back(Jump(BPF_JGE, kX32Bit, 0, 3));
    program.push_back(Jump(BPF_JEQ, kNoCall, 0, 1));
    program.push_back(Return(kUnlisted));
    program.push_back(Return(kKill));
  }
  const auto search = EmitSearch(ranges);
  program.insert(program.end(), search.begin(), search.end());
  if (program.size() > BPF_MAXINSNS) {
    return Fail(Code::kExhausted, "filter for {} has {} instructions, the kernel takes {}", architecture.name,
                program.size(), BPF_MAXINSNS);
  }
  return program;
}

}  // namespace writ::seccomp
