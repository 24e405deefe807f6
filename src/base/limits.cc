#include "base/limits.h"

#include <algorithm>
#include <array>

#include "base/units.h"

namespace writ {
namespace {

constexpr std::uint64_t kMillisMax = 10'000ull * 3'600'000;  // what ParseDuration reads
constexpr std::uint64_t kCoresMax = 4096ull * 1000;
constexpr std::uint64_t kBytesMax = (1ull << 53) - 1;  // exact in a JSON number
constexpr std::uint64_t kTasksMax = 4'194'304;         // PID_MAX_LIMIT of 64-bit Linux
constexpr std::uint64_t kFilesMax = 1'048'576;         // the kernel's default fs.nr_open
constexpr std::uint64_t kInodesMax = 0xFFFF'FFFF;

template <class T, T Limits::* member>
std::uint64_t Get(const Limits& limits) {
  if constexpr (std::is_same_v<T, Millis>) {
    return static_cast<std::uint64_t>((limits.*member).count());
  } else {
    return limits.*member;
  }
}
template <class T, T Limits::* member>
void Set(Limits& limits, std::uint64_t value) {
  if constexpr (std::is_same_v<T, Millis>) {
    limits.*member = Millis(static_cast<Millis::rep>(value));
  } else {
    limits.*member = static_cast<T>(value);
  }
}

template <class T, T Limits::* member>
constexpr LimitField Field(std::string_view name, std::string_view json, Unit unit, std::uint64_t most) {
  return {name, json, unit, most, &Get<T, member>, &Set<T, member>};
}

constexpr std::array kFields = {
    Field<Millis, &Limits::wall_time>("wall-time", "wallTimeMs", Unit::kMillis, kMillisMax),
    Field<Millis, &Limits::cpu_time>("cpu-time", "cpuTimeMs", Unit::kMillis, kMillisMax),
    Field<std::uint32_t, &Limits::cpu_millis>("cpus", "cpuMillis", Unit::kCores, kCoresMax),
    Field<std::uint64_t, &Limits::memory_bytes>("memory", "memoryBytes", Unit::kBytes, kBytesMax),
    Field<std::uint32_t, &Limits::pids>("pids", "pids", Unit::kCount, kTasksMax),
    Field<std::uint32_t, &Limits::open_files>("files", "openFiles", Unit::kCount, kFilesMax),
    Field<std::uint64_t, &Limits::stdout_bytes>("stdout", "stdoutBytes", Unit::kBytes, kBytesMax),
    Field<std::uint64_t, &Limits::stderr_bytes>("stderr", "stderrBytes", Unit::kBytes, kBytesMax),
    Field<std::uint64_t, &Limits::disk_bytes>("disk", "diskBytes", Unit::kBytes, kBytesMax),
    Field<std::uint64_t, &Limits::inodes>("inodes", "inodes", Unit::kCount, kInodesMax),
};

Result<std::uint64_t> ReadAmount(const LimitField& field, std::string_view text) {
  if (field.unit == Unit::kBytes) return ParseSize(text);
  if (field.unit == Unit::kCount) return ParseCount(text, field.most);
  if (field.unit == Unit::kCores) return ParseCores(text);
  const auto span = ParseDuration(text);
  if (!span) return std::unexpected(span.error());
  return static_cast<std::uint64_t>(span->count());
}

}  // namespace

std::span<const LimitField> LimitFields() { return kFields; }

const LimitField* FindLimit(std::string_view name) {
  const auto* found = std::ranges::find(kFields, name, &LimitField::name);
  return found == kFields.end() ? nullptr : found;
}

const LimitField* FindLimitMember(std::string_view member) {
  const auto* found = std::ranges::find(kFields, member, &LimitField::member);
  return found == kFields.end() ? nullptr : found;
}

Result<> CheckLimits(const Limits& limits) {
  for (const LimitField& field : kFields) {
    const std::uint64_t value = field.get(limits);  // a negative time is more than any limit
    if (value == 0 || value > field.most)
      return Fail(Code::kInvalid, "limit {} must be more than zero and at most {}; zero never means unlimited",
                  field.name, FormatLimit(field, field.most));
  }
  return {};
}

std::string FormatLimit(const LimitField& field, std::uint64_t value) {
  switch (field.unit) {
    case Unit::kMillis:
      return FormatDuration(Millis(static_cast<Millis::rep>(value)));
    case Unit::kCores:
      return FormatCores(static_cast<std::uint32_t>(value));
    case Unit::kBytes: {
      // FormatSize rounds what does not divide evenly; a refusal must show that one byte more is more.
      std::string text = FormatSize(value);
      const auto back = ParseSize(text);
      return back && *back == value ? text : std::to_string(value);
    }
    case Unit::kCount:
      break;
  }
  return std::to_string(value);
}

Result<std::uint64_t> ParseLimit(const LimitField& field, std::string_view text) {
  const auto amount = ReadAmount(field, text);
  if (!amount) return std::unexpected(amount.error());
  const std::uint64_t value = *amount;
  if (value > field.most) {
    return Fail(Code::kInvalid, "{} is more than the largest possible limit, {}", text, FormatLimit(field, field.most));
  }
  return value;
}

}  // namespace writ
