#pragma once

#include <algorithm>
#include <string_view>

#include "net/http1.h"

/// Character classes shared by the HTTP/1 files of this folder. Source: RFC 9110 section 5.6.
namespace writ::net::http1 {

inline bool IsTokenByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}
inline bool IsToken(std::string_view text) { return !text.empty() && std::ranges::all_of(text, IsTokenByte); }

/// Field values, reason phrases and chunk extensions: no control character but HTAB.
inline bool IsTextByte(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return c == '\t' || (byte >= 0x20 && byte != 0x7F);
}
inline bool IsText(std::string_view text) { return std::ranges::all_of(text, IsTextByte); }

/// Request targets: printable ASCII without space.
inline bool IsTarget(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7F; });
}

/// Without spaces and tabs around it.
std::string_view TrimOws(std::string_view text);

/// One "name: value" line without its line end.
Http1Result<Http1Field> ParseFieldLine(std::string_view line);

inline std::unexpected<Http1Refusal> Refuse(unsigned status, std::string_view reason) {
  return std::unexpected(Http1Refusal{status, std::string(reason)});
}

}  // namespace writ::net::http1
