#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "isolation/process/seccomp/rule.h"

namespace writ::seccomp {

/// The machine a filter is made for.
struct Architecture {
  std::string_view name;            ///< "x86_64", "aarch64"
  std::uint32_t audit = 0;          ///< AUDIT_ARCH_* the kernel reports for native calls
  bool has_x32 = false;             ///< numbers from 0x40000000 on mean the x32 table
  /// Number of a call; negative when this architecture has none. Errors: kNotFound for a name no architecture has.
  std::function<Result<int>(std::string_view)> number;
};

/// Looks up by libseccomp's tables. Errors: kNotFound for a name other than x86_64 or aarch64.
Result<Architecture> FindArchitecture(std::string_view name);

/// Refuses a policy that does not mean what its author thinks: no reason, a repeated line, a line that can never be
/// reached, a call whose last line has conditions, a condition on an argument that does not exist.
/// Errors: kInvalid, naming the line.
Result<> CheckPolicy(Policy policy);

/// Turns a policy into a program for the kernel: architecture first, then a binary search over ranges of numbers that
/// are decided alike, then the questions of the one call.
/// A call of another architecture (int 0x80) or of the x32 table ends the process: its numbers mean other calls, so
/// no rule here could judge it, and nothing that belongs in a cell makes it.
/// Errors: those of CheckPolicy; kNotFound for a misspelt call; kExhausted beyond BPF_MAXINSNS instructions.
Result<std::vector<sock_filter>> Compile(Policy policy, const Architecture& architecture);

}  // namespace writ::seccomp
