#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"

namespace writ {

/// Limits of one run, or ceilings over them. Every member has a default; zero is refused, it never means "unlimited".
struct Limits {
  Millis wall_time{std::chrono::minutes{10}};  ///< monotonic, from exec to the last process
  Millis cpu_time{std::chrono::minutes{10}};   ///< user + system of all processes together
  std::uint32_t cpu_millis = 2000;             ///< thousandths of a core at any moment
  std::uint64_t memory_bytes = 1ull << 30;     ///< all processes and tmpfs pages together, no swap
  std::uint32_t pids = 256;                    ///< tasks (threads included) at any moment
  std::uint32_t open_files = 1024;             ///< descriptors per process
  std::uint64_t stdout_bytes = 16ull << 20;
  std::uint64_t stderr_bytes = 16ull << 20;
  std::uint64_t disk_bytes = 512ull << 20;  ///< all writable places together
  std::uint64_t inodes = 65536;             ///< all writable places together
  bool operator==(const Limits&) const = default;
};

enum class Unit : std::uint8_t { kMillis, kCores, kBytes, kCount };

/// One limit under its names.
struct LimitField {
  std::string_view name;    ///< for people and `--accept`: "wall-time", "memory", ...
  std::string_view member;  ///< in JSON, unit at the end: "wallTimeMs", "memoryBytes", ...
  Unit unit;
  std::uint64_t most;  ///< largest number that is accepted
  std::uint64_t (*get)(const Limits&);
  void (*set)(Limits&, std::uint64_t);
};

/// All limits, in the order in which they are judged and shown.
std::span<const LimitField> LimitFields();
/// nullptr when there is no limit of that name, or with that JSON member.
const LimitField* FindLimit(std::string_view name);
const LimitField* FindLimitMember(std::string_view member);
/// Errors: kInvalid for the first limit that is zero, negative or more than `most`.
Result<> CheckLimits(const Limits& limits);

/// `10m`, `2`, `1G`, `256`: the value of a limit as people write it, exact; ParseLimit reads it back.
std::string FormatLimit(const LimitField& field, std::uint64_t value);
/// Reads a limit as units.h reads its unit. Errors: kInvalid for zero, for more than `most` and for anything
/// else that is not an amount, saying what would be right.
Result<std::uint64_t> ParseLimit(const LimitField& field, std::string_view text);

}  // namespace writ
