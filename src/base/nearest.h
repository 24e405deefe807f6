#pragma once

#include <span>
#include <string>
#include <string_view>

namespace writ {

/// The candidate a misspelled name most likely meant, or "" when none is close (more than a third of it differs).
/// Letter case, `-` and `_` count as equal. Names longer than 64 bytes have no neighbour.
std::string_view NearestName(std::string_view name, std::span<const std::string_view> candidates);

/// `; did you mean "x"?` for an error text, or "" when nothing is near.
std::string DidYouMean(std::string_view name, std::span<const std::string_view> candidates);

}  // namespace writ
