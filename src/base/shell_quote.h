#pragma once

#include <span>
#include <string>
#include <string_view>

namespace writ {

/// One word as a POSIX shell reads it back: unchanged when it is plain, else in single quotes.
std::string ShellQuote(std::string_view word);
/// Words joined by spaces.
std::string ShellQuote(std::span<const std::string> words);

}  // namespace writ
