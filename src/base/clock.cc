#include "base/clock.h"

#include <charconv>

namespace writ {

WallTime SystemClock::Now() const {
  return std::chrono::floor<Millis>(std::chrono::system_clock::now());
}
MonoTime SystemClock::Mono() const { return std::chrono::steady_clock::now(); }

std::string FormatTimestamp(WallTime time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss clock{time - day};
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                     clock.minutes().count(), clock.seconds().count(), clock.subseconds().count());
}

Result<WallTime> ParseTimestamp(std::string_view text) {
  constexpr std::string_view kForm = "dddd-dd-ddTdd:dd:dd.dddZ";
  bool ok = text.size() == kForm.size();
  for (std::size_t i = 0; ok && i < kForm.size(); ++i)
    ok = kForm[i] == 'd' ? (text[i] >= '0' && text[i] <= '9') : text[i] == kForm[i];
  const auto number = [&](std::size_t at, std::size_t length) {
    int value = 0;
    std::from_chars(text.data() + at, text.data() + at + length, value);
    return value;
  };
  if (ok) {
    const std::chrono::year_month_day date{std::chrono::year{number(0, 4)},
                                           std::chrono::month{static_cast<unsigned>(number(5, 2))},
                                           std::chrono::day{static_cast<unsigned>(number(8, 2))}};
    const int hour = number(11, 2), minute = number(14, 2), second = number(17, 2);
    if (date.ok() && hour < 24 && minute < 60 && second < 60)
      return WallTime{std::chrono::sys_days{date}} + std::chrono::hours{hour} + std::chrono::minutes{minute} +
             std::chrono::seconds{second} + Millis{number(20, 3)};
  }
  return Fail(Code::kInvalid, "\"{}\" is not a time of the form 2026-01-31T23:59:59.000Z", text.substr(0, 64));
}

}  // namespace writ
