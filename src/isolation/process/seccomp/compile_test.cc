#include "isolation/process/seccomp/compile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/seccomp.h>

#include <algorithm>
#include <array>
#include <map>
#include <random>
#include <set>
#include <string>

#include "isolation/process/seccomp/interpret_for_test.h"

namespace writ::seccomp {
namespace {

using ::testing::HasSubstr;

/// What the table says, read the slow and obvious way.
class Table {
 public:
  Table(Policy policy, const Architecture& architecture) {
    for (const auto& rules : policy) {
      for (const auto& rule : rules) {
        const auto number = architecture.number(rule.syscall);
        if (number && *number >= 0) calls_[static_cast<std::uint32_t>(*number)].push_back(&rule);
      }
    }
  }
  std::uint32_t Answer(const seccomp_data& data) const {
    const auto call = calls_.find(static_cast<std::uint32_t>(data.nr));
    if (call == calls_.end()) return kUnlisted.ret;
    for (const Rule* rule : call->second) {
      bool holds = true;
      for (const auto& condition : rule->when.all()) {
        std::uint64_t value = data.args[condition.argument];
        if (!condition.wide) value &= 0xffffffff;
        holds = holds && ((value & condition.mask) == condition.value) == condition.wanted;
      }
      if (holds) return rule->action.ret;
    }
    return 0;
  }
  /// Argument values around which a call's answer may change.
  std::vector<std::uint64_t> Interesting(std::uint32_t number) const {
    std::set<std::uint64_t> values{0, 1, ~0ull, 0x100000000ull};
    if (const auto call = calls_.find(number); call != calls_.end()) {
      for (const Rule* rule : call->second) {
        for (const auto& condition : rule->when.all()) {
          for (const std::uint64_t high : {0ull, 1ull << 32, 0xdeadbeefull << 32}) {
            values.insert(condition.value | high);
            values.insert((condition.value + 1) | high);
            values.insert((condition.value ^ condition.mask) | high);
            values.insert((condition.mask & 0xffffffff) | high);
          }
        }
      }
    }
    return {values.begin(), values.end()};
  }

 private:
  std::map<std::uint32_t, std::vector<const Rule*>> calls_;
};

seccomp_data Call(const Architecture& architecture, std::uint32_t number) {
  seccomp_data data{};
  data.arch = architecture.audit;
  data.nr = static_cast<int>(number);
  return data;
}

/// Asks program and table for every number, with arguments around every value that matters.
void ExpectSameAnswers(std::span<const sock_filter> program, Policy policy, const Architecture& architecture, int rounds) {
  const Table table(policy, architecture);
  std::mt19937_64 random(1);
  for (std::uint32_t number = 0; number < 700; ++number) {
    const auto values = table.Interesting(number);
    for (int round = 0; round < rounds; ++round) {
      auto data = Call(architecture, number);
      for (auto& argument : data.args) argument = values[random() % values.size()];
      const auto answer = Interpret(program, data);
      ASSERT_TRUE(answer) << "malformed program for call " << number;
      ASSERT_EQ(*answer, table.Answer(data)) << "call " << number << " arguments " << data.args[0] << ", "
                                             << data.args[1] << ", " << data.args[2];
    }
  }
}

class EveryPolicy : public ::testing::TestWithParam<std::tuple<const char*, const char*>> {
 protected:
  const char* architecture_name() const { return std::get<0>(GetParam()); }
  Policy policy() const {
    const std::string name = std::get<1>(GetParam());
    return name == "guest" ? GuestPolicy() : name == "client" ? ClientPolicy() : NetworkClientPolicy();
  }
};
INSTANTIATE_TEST_SUITE_P(All, EveryPolicy,
                         ::testing::Combine(::testing::Values("x86_64", "aarch64"),
                                            ::testing::Values("guest", "client", "network_client")),
                         [](const auto& instance) {
                           return std::string(std::get<0>(instance.param)) + "_" + std::get<1>(instance.param);
                         });

TEST_P(EveryPolicy, HasReasonsAndNoDuplicates) {
  const auto checked = CheckPolicy(policy());
  EXPECT_TRUE(checked) << checked.error().what;
}

TEST_P(EveryPolicy, ProgramAnswersWhatTheTableSays) {
  const auto architecture = FindArchitecture(architecture_name());
  ASSERT_TRUE(architecture);
  const auto program = Compile(policy(), *architecture);
  ASSERT_TRUE(program) << program.error().what;
  RecordProperty("instructions", static_cast<int>(program->size()));
  ExpectSameAnswers(*program, policy(), *architecture, 400);
}

TEST_P(EveryPolicy, Attack01_OtherArchitecturesAndTheX32TableEndTheProcess) {
  const auto architecture = FindArchitecture(architecture_name());
  ASSERT_TRUE(architecture);
  const auto program = Compile(policy(), *architecture);
  ASSERT_TRUE(program);
  for (const std::uint32_t other : std::initializer_list<std::uint32_t>{AUDIT_ARCH_I386, AUDIT_ARCH_ARM,
                                                                         AUDIT_ARCH_X86_64, AUDIT_ARCH_AARCH64}) {
    if (other == architecture->audit) continue;
    for (std::uint32_t number = 0; number < 500; ++number) {
      auto data = Call(*architecture, number);
      data.arch = other;
      ASSERT_EQ(Interpret(*program, data), kKill.ret);
    }
  }
  for (const std::uint32_t number : {0x40000000u, 0x40000001u, 0x40000200u, 0x400001ffu, 0x7fffffffu, 0x80000000u,
                                     0xfffffffeu}) {
    EXPECT_EQ(Interpret(*program, Call(*architecture, number)), architecture->has_x32 ? kKill.ret : kUnlisted.ret);
  }
  EXPECT_EQ(Interpret(*program, Call(*architecture, 0xffffffff)), kUnlisted.ret);
}

TEST_P(EveryPolicy, FitsTheKernel) {
  const auto program = Compile(policy(), *FindArchitecture(architecture_name()));
  ASSERT_TRUE(program);
  EXPECT_LE(program->size(), 300u);  // far below BPF_MAXINSNS; each costs time at every start of a guest
}

/// Answers of the guest policy on the machine of the name, for the calls that decide whether a cell holds.

TEST_P(EveryPolicy, Attack02_Attack03_KernelSurfaceIsRefused) {
  const auto architecture = FindArchitecture(architecture_name());
  ASSERT_TRUE(architecture);
  const auto program = Compile(policy(), *architecture);
  ASSERT_TRUE(program);
  for (const char* name :
       {"io_uring_setup", "io_uring_enter", "io_uring_register", "clone3", "setns", "mount", "umount2", "pivot_root",
        "chroot", "fsopen", "fsconfig", "fsmount", "fspick", "move_mount", "open_tree", "mount_setattr", "keyctl",
        "add_key", "request_key", "bpf", "userfaultfd", "perf_event_open", "ptrace", "process_vm_readv",
        "process_vm_writev", "process_madvise", "pidfd_getfd", "kcmp", "kexec_load", "kexec_file_load", "init_module",
        "finit_module", "delete_module", "swapon", "swapoff", "reboot", "quotactl", "quotactl_fd", "acct",
        "settimeofday", "clock_settime", "clock_adjtime", "adjtimex", "open_by_handle_at", "name_to_handle_at",
        "vhangup", "syslog", "fanotify_init", "fanotify_mark", "memfd_secret", "lookup_dcookie", "nfsservctl", "iopl",
        "ioperm", "modify_ldt", "sethostname", "setdomainname", "uselib", "sysfs", "ustat", "_sysctl"}) {
    const auto number = architecture->number(name);
    ASSERT_TRUE(number) << name;
    if (*number < 0) continue;
    const auto answer = Interpret(*program, Call(*architecture, static_cast<std::uint32_t>(*number)));
    ASSERT_TRUE(answer);
    EXPECT_EQ(*answer & SECCOMP_RET_ACTION_FULL, SECCOMP_RET_ERRNO) << name;
    EXPECT_NE(*answer & SECCOMP_RET_DATA, 0u) << name;
  }
}

TEST(CheckPolicy, NamesTheLineThatIsWrong) {
  struct Case {
    const char* why;
    std::vector<Rule> rules;
    const char* message;
  };
  const Case cases[] = {
      {"no reason", {{"read", kAllow, Always(), ""}}, "'read' gives no reason"},
      {"twice", {{"read", kAllow, Always(), "a"}, {"read", kAllow, Always(), "b"}}, "can never be reached"},
      {"after always", {{"read", kAllow, Always(), "a"}, {"read", kAllow, Int(0).Is(1), "b"}}, "can never be reached"},
      {"same condition", {{"read", kAllow, Int(0).Is(1), "a"}, {"read", kKill, Int(0).Is(1), "b"}}, "repeats"},
      {"open end", {{"read", kAllow, Int(0).Is(1), "a"}}, "no last line"},
      {"seventh argument", {{"read", kAllow, Int(6).Is(1), "a"}}, "tests nothing"},
      {"empty mask", {{"read", kAllow, Int(0).Under(0).Is(0), "a"}}, "tests nothing"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.why);
    const std::span<const Rule> table[] = {c.rules};
    const auto checked = CheckPolicy(table);
    ASSERT_FALSE(checked);
    EXPECT_EQ(checked.error().code, Code::kInvalid);
    EXPECT_THAT(checked.error().what, HasSubstr(c.message));
  }
}

TEST(Compile, RefusesMisspeltCallsAndUnknownMachines) {
  const Rule rules[] = {{"raed", kAllow, Always(), "a"}};
  const std::span<const Rule> table[] = {rules};
  const auto program = Compile(table, *FindArchitecture("x86_64"));
  ASSERT_FALSE(program);
  EXPECT_EQ(program.error().code, Code::kNotFound);
  EXPECT_THAT(program.error().what, HasSubstr("raed"));
  EXPECT_EQ(FindArchitecture("sparc").error().code, Code::kNotFound);
}

TEST(Compile, AnEmptyPolicyAllowsNothing) {
  const auto architecture = FindArchitecture("x86_64");
  const auto program = Compile({}, *architecture);
  ASSERT_TRUE(program);
  for (std::uint32_t number = 0; number < 500; ++number) {
    ASSERT_EQ(Interpret(*program, Call(*architecture, number)), kUnlisted.ret);
  }
}

TEST(Compile, RandomPoliciesDecideAsTheirTables) {
  // Overlapping masks, negations, both widths, and programs so long that conditional jumps do not reach.
  std::mt19937 random(7);
  const auto pick = [&](std::uint32_t below) { return static_cast<std::uint32_t>(random() % below); };
  constexpr const char* kCalls[] = {"read",  "write", "lseek",  "ioctl",  "socket", "clone", "prctl", "mmap",  "futex",
                                    "fcntl", "flock", "statfs", "getcwd", "splice", "tee",   "bpf",   "getpid"};
  const auto architecture = FindArchitecture("x86_64");
  std::size_t longest = 0;
  for (int round = 0; round < 60; ++round) {
    std::vector<Rule> rules;
    for (const char* call : kCalls) {
      if (pick(4) == 0) continue;
      for (std::uint32_t line = pick(16); line > 0; --line) {
        std::array<Condition, 3> conditions;
        for (auto& condition : conditions) {
          Argument argument(static_cast<std::uint8_t>(pick(3)), pick(3) == 0);
          if (pick(3) != 0) argument = argument.Under(1 + pick(15));
          const std::uint32_t kind = pick(4);
          condition = kind == 0 ? argument.HasAny(1 + pick(15)) : kind == 1 ? argument.HasOnly(pick(15)) : argument.Is(pick(16));
          if (condition.mask == 0) condition = argument.Is(pick(16));  // CheckPolicy refuses what tests nothing
        }
        const Conditions when[] = {{conditions[0]}, {conditions[0], conditions[1]}, {conditions[0], conditions[1], conditions[2]}};
        const Rule rule{call, Answer(static_cast<int>(1 + pick(9))), when[pick(3)], "a"};
        const bool repeated = std::ranges::any_of(rules, [&](const Rule& r) { return r.syscall == call && r.when == rule.when; });
        if (!repeated) rules.push_back(rule);
      }
      rules.push_back({call, pick(2) == 0 ? kAllow : Answer(38), Always(), "a"});
    }
    const std::span<const Rule> table[] = {rules};
    const auto program = Compile(table, *architecture);
    if (!program) {
      EXPECT_EQ(program.error().code, Code::kExhausted) << program.error().what;
      continue;
    }
    longest = std::max(longest, program->size());
    ASSERT_NO_FATAL_FAILURE(ExpectSameAnswers(*program, table, *architecture, 30));
  }
  EXPECT_GT(longest, 800u) << "no program was long enough to need far jumps";
}

TEST(Compile, LongConditionsCompareBothHalvesAndIntConditionsOnlyTheLow) {
  const Rule rules[] = {{"unshare", kAllow, Long(0).HasOnly(0x600), "a"},
                        {"unshare", Answer(1), Always(), "b"},
                        {"ioctl", Answer(2), Int(1).Is(0x5412), "c"},
                        {"ioctl", kAllow, Always(), "d"}};
  const std::span<const Rule> table[] = {rules};
  const auto architecture = FindArchitecture("x86_64");
  const auto program = Compile(table, *architecture);
  ASSERT_TRUE(program);
  auto unshare = Call(*architecture, static_cast<std::uint32_t>(*architecture->number("unshare")));
  const std::pair<std::uint64_t, std::uint32_t> flags[] = {
      {0x200, kAllow.ret}, {0x600, kAllow.ret}, {0x601, Answer(1).ret}, {0x100000200, Answer(1).ret}};
  for (const auto& [value, wanted] : flags) {
    unshare.args[0] = value;
    EXPECT_EQ(Interpret(*program, unshare), wanted) << value;
  }
  auto ioctl = Call(*architecture, static_cast<std::uint32_t>(*architecture->number("ioctl")));
  for (const std::uint64_t value : {0x5412ull, 0x100005412ull, 0xffffffff00005412ull}) {
    ioctl.args[1] = value;
    EXPECT_EQ(Interpret(*program, ioctl), Answer(2).ret) << value;
  }
}

}  // namespace
}  // namespace writ::seccomp
