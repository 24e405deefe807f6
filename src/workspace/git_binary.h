#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace writ::workspace {

/// The body of a `GIT binary patch`: both contents whole ("literal"), compressed with zlib, in lines of base 85, the
/// new one first so that the patch can be taken back. Errors: kInternal when zlib fails.
/// Source: git's Documentation/gitdiffcore and the format its own apply reads: "literal SIZE", then lines of a length
/// letter (A-Z 1 to 26 bytes, a-z 27 to 52) and five digits for four bytes, then an empty line.
Result<std::string> GitBinaryPatch(std::string_view old_content, std::string_view new_content);

}  // namespace writ::workspace
