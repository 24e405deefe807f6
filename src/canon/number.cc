#include "canon/number.h"

#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace writ::canon {
namespace {

constexpr double kExactIntegers = 9007199254740992.0;  // 2^53: below it an integer has its plain decimal digits

struct Decimal {
  char digits[20];
  int count = 0;
  int point = 0;  ///< the value is 0.DIGITS times ten to the power of `point`
};

/// Takes digits and exponent out of "d.ddde+XX", the shortest scientific form.
Decimal ShortestDigits(double magnitude) {
  char text[40];
  char* const end = std::to_chars(text, text + sizeof text - 1, magnitude, std::chars_format::scientific).ptr;
  *end = '\0';
  Decimal decimal;
  const char* at = text;
  for (; at < end && *at != 'e'; ++at) {
    if (*at != '.') decimal.digits[decimal.count++] = *at;
  }
  decimal.point = static_cast<int>(std::strtol(at + 1, nullptr, 10)) + 1;
  return decimal;
}

}  // namespace

void AppendNumber(std::string& out, double value) {
  if (std::fabs(value) < kExactIntegers && std::trunc(value) == value) {
    char text[24];
    out.append(text, std::to_chars(text, text + sizeof text, static_cast<std::int64_t>(value)).ptr);
    return;
  }
  if (value < 0) out += '-';
  const Decimal decimal = ShortestDigits(std::fabs(value));
  const std::string_view digits(decimal.digits, static_cast<std::size_t>(decimal.count));
  const int count = decimal.count, point = decimal.point;
  if (count <= point && point <= 21) {
    out.append(digits).append(static_cast<std::size_t>(point - count), '0');
  } else if (0 < point && point <= 21) {
    out.append(digits.substr(0, static_cast<std::size_t>(point))).append(1, '.');
    out.append(digits.substr(static_cast<std::size_t>(point)));
  } else if (-6 < point && point <= 0) {
    out.append("0.").append(static_cast<std::size_t>(-point), '0').append(digits);
  } else {
    out.append(digits.substr(0, 1));
    if (count > 1) out.append(1, '.').append(digits.substr(1));
    const int exponent = point - 1;
    out.append(exponent < 0 ? "e-" : "e+").append(std::to_string(std::abs(exponent)));
  }
}

}  // namespace writ::canon
