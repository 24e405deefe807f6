#pragma once

#include <string>
#include <string_view>

namespace writ::workspace {

/// `prefix` + `path` as git writes it in patches: as it is, or in double quotes with C escapes when it holds control
/// characters, quotes, backslashes or bytes above 0x7F. Source: git-diff(1), core.quotePath.
std::string QuoteGitPath(std::string_view prefix, std::string_view path);

/// The object name of a file's content: SHA-1 of "blob SIZE\0" and the content, in hex. Used because patches name
/// objects so, not as protection. Source: gitformat-pack(5), git-hash-object(1).
std::string GitBlobName(std::string_view content);

/// Whether git would treat it as binary: a NUL in the first 8000 bytes.
bool IsBinary(std::string_view content);

/// The hunks (`@@ ... @@`) of a unified diff with three lines of context; empty when both are the same.
std::string UnifiedHunks(std::string_view old_text, std::string_view new_text);

}  // namespace writ::workspace
