#pragma once

#include <linux/seccomp.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace writ::seccomp {

/// What the kernel answers to a call: one SECCOMP_RET_* value.
struct Action {
  std::uint32_t ret = 0;
  constexpr bool operator==(const Action&) const = default;
};
inline constexpr Action kAllow{SECCOMP_RET_ALLOW};
inline constexpr Action kKill{SECCOMP_RET_KILL_PROCESS};
/// The call is not made; the program sees `error`. Zero answers success without doing anything.
constexpr Action Answer(int error) { return {SECCOMP_RET_ERRNO | (static_cast<std::uint32_t>(error) & SECCOMP_RET_DATA)}; }

/// A test of one argument: ((argument & mask) == value) is `wanted`.
/// Int() looks at the low 32 bits only, as the kernel does for arguments it declares int or unsigned int: a test
/// of all 64 bits would be evaded by garbage in the upper half. Long() looks at all 64 bits.
struct Condition {
  std::uint8_t argument = 0;
  bool wide = false;
  bool wanted = true;
  std::uint64_t mask = 0;
  std::uint64_t value = 0;

  constexpr bool operator==(const Condition&) const = default;
  constexpr bool Holds(std::uint64_t actual) const { return ((actual & mask) == value) == wanted; }
};

/// `Int(1).Under(0xf).Is(SOCK_STREAM)`, `Int(0).HasAny(flags)`, `Long(0).HasOnly(flags)`.
class Argument {
 public:
  constexpr Argument(std::uint8_t index, bool wide) : index_(index), wide_(wide), mask_(wide ? ~0ull : 0xffffffffull) {}
  constexpr Argument Under(std::uint32_t mask) const {
    Argument masked = *this;
    masked.mask_ = mask;
    return masked;
  }
  constexpr Condition Is(std::uint32_t value) const { return {index_, wide_, true, mask_, value & mask_}; }
  constexpr Condition HasAny(std::uint32_t bits) const { return {index_, wide_, false, bits, 0}; }
  constexpr Condition HasOnly(std::uint32_t bits) const { return {index_, wide_, true, mask_ & ~std::uint64_t{bits}, 0}; }

 private:
  std::uint8_t index_;
  bool wide_;
  std::uint64_t mask_;
};
constexpr Argument Int(std::uint8_t index) { return {index, false}; }
constexpr Argument Long(std::uint8_t index) { return {index, true}; }

/// All of up to three conditions; none means always.
struct Conditions {
  static constexpr std::size_t kMax = 3;
  std::array<Condition, kMax> items{};
  std::size_t count = 0;

  constexpr Conditions() = default;
  constexpr Conditions(Condition a) : items{a}, count(1) {}
  constexpr Conditions(Condition a, Condition b) : items{a, b}, count(2) {}
  constexpr Conditions(Condition a, Condition b, Condition c) : items{a, b, c}, count(3) {}
  constexpr bool operator==(const Conditions&) const = default;
  constexpr std::span<const Condition> all() const { return {items.data(), count}; }
};
constexpr Conditions Always() { return {}; }

/// One line of a policy. The lines of one system call are read in order, the first whose conditions hold decides,
/// the last has none. A call without a line gets ENOSYS, so that a C library falls back to an older call.
struct Rule {
  std::string_view syscall;  ///< kernel name; skipped on an architecture that has no such call
  Action action;
  Conditions when;
  std::string_view reason;
};

/// A policy is a list of tables, so that policies can share them.
using Policy = std::span<const std::span<const Rule>>;

/// What jailed programs may call.
Policy GuestPolicy();
/// What `writ` itself may call once its privileged helper has been started.
Policy ClientPolicy();
/// The same with TCP and name servers.
Policy NetworkClientPolicy();

inline constexpr Action kUnlisted = Answer(ENOSYS);

}  // namespace writ::seccomp
