#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace writ {

/// One step of reading UTF-8.
struct Utf8Step {
  char32_t code = 0xFFFD;  ///< the code point; U+FFFD when !valid
  std::size_t bytes = 1;   ///< bytes consumed: the sequence, or the maximal broken part that U+FFFD stands for
  bool valid = false;
};

/// Reads the code point that starts at `at`. Surrogates, overlong forms and values above U+10FFFF are not valid.
/// Precondition: at < text.size(). Source: WHATWG Encoding, "UTF-8 decoder".
Utf8Step DecodeUtf8(std::string_view text, std::size_t at);

/// Appends the bytes of a code point; surrogates are written in the same scheme (WTF-8).
void AppendUtf8(std::string& out, char32_t code);

/// Whether the whole text is valid UTF-8.
bool IsUtf8(std::string_view text);

/// The text with every broken part replaced by U+FFFD.
std::string ToValidUtf8(std::string_view text);

/// Length as ECMAScript counts it: UTF-16 code units. Broken parts count one each, a WTF-8 surrogate one.
std::size_t Utf16Length(std::string_view text);

/// Without leading and trailing white space and line ends, as ECMAScript's String.prototype.trim removes them.
std::string_view TrimSpace(std::string_view text);

}  // namespace writ
