#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "crypto/secret.h"

namespace writ::secrets {

inline constexpr std::size_t kDotenvBytesMax = 1 << 20;

struct DotenvEntry {
  std::string name;
  crypto::SecretBytes value;
};

/// Reads lines `NAME=VALUE`. Empty lines and lines that begin with `#` count for nothing. A value is bare (no white
/// space, quotes, `#`, `$`, backslash or backquote), or in single quotes (everything as it stands), or in double quotes
/// with the escapes \\ \" \$ \n \r \t. What readers of such files disagree about is refused: expansion, `export`, space
/// around `=`, text after a quote, values of several lines, a name twice.
/// Errors: kInvalid with the line's number and never its text; kExhausted over a bound.
Result<std::vector<DotenvEntry>> ParseDotenv(std::string_view text);

}  // namespace writ::secrets
