#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"

namespace writ {

/// Reads a size in bytes: decimal digits with an optional suffix K, M, G or T (powers of 1024, either case, an "iB"
/// may follow): "512", "64K", "16MiB".
/// Errors: kInvalid for anything else, for zero (a limit of zero never means "unlimited") and for values over 2^63-1.
Result<std::uint64_t> ParseSize(std::string_view text);

/// Reads a time span: digits with a unit h, m, s or ms, largest unit first and each at most once; a number alone is
/// seconds: "90", "250ms", "1m30s".
/// Errors: kInvalid for anything else, for zero and for spans over 10 000 hours.
Result<Millis> ParseDuration(std::string_view text);

/// Reads a plain count from 1 to `max`, with an optional K, M or G (powers of 1024): "256", "64K".
/// Errors: kInvalid for anything else and for zero.
Result<std::uint64_t> ParseCount(std::string_view text, std::uint64_t max);

/// Reads a number of cores with up to three decimals and returns thousandths: "2" is 2000, "0.5" is 500.
/// Errors: kInvalid for anything else, for zero and for more than 4096 cores.
Result<std::uint32_t> ParseCores(std::string_view text);

/// "16M", "1.4K", "512": the largest unit that fits, one decimal when it does not divide evenly. Exact values are
/// read back by ParseSize.
std::string FormatSize(std::uint64_t bytes);

/// "1m30s", "250ms", "0s"; read back by ParseDuration. Negative spans show as "0s".
std::string FormatDuration(Millis span);

/// "2", "0.5": thousandths of a core as ParseCores reads them.
std::string FormatCores(std::uint32_t thousandths);

}  // namespace writ
