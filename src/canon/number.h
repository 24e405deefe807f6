#pragma once

#include <string>

namespace writ::canon {

/// Appends a finite number as ECMAScript's Number::toString writes it: shortest digits that read back as the same
/// double, exponent form when the decimal exponent is below -6 or at least 21, -0 as 0.
/// Source: ECMA-262 section 6.1.6.1.20. Precondition: std::isfinite(value).
void AppendNumber(std::string& out, double value);

}  // namespace writ::canon
