#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace writ::http {

/// The target of a request in its parts.
struct Target {
  std::string path;  ///< starts with /; percent-encoding left alone
  std::vector<std::pair<std::string, std::string>> query;  ///< decoded as the URL standard decodes forms, in order
};

inline constexpr std::size_t kQueryPartsMax = 64;

/// Splits path and query of an origin-form target. A broken percent-encoding stays as it is written. Errors: kInvalid
/// for more than kQueryPartsMax parts. Source: URL Standard (WHATWG), "application/x-www-form-urlencoded parsing".
Result<Target> SplitTarget(std::string_view path_and_query);

/// Whether a query has a parameter that looks like a credential: those end up in logs, histories and Referer fields.
bool CarriesToken(const Target& target);

/// The path with the names of its query parameters and none of their values, escaped and cut, for logs.
std::string LoggedTarget(const Target& target);

}  // namespace writ::http
