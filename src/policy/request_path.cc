#include <algorithm>

#include "base/escape.h"
#include "base/utf8.h"
#include "policy/egress_rule.h"

namespace writ::policy {
namespace {

constexpr std::size_t kPathMax = 8192;

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// What a server could take for "this" or "the folder above": also with parameters, as in "..;x".
bool IsDotSegment(std::string_view segment) {
  const std::string_view name = segment.substr(0, segment.find(';'));
  return name == "." || name == "..";
}

}  // namespace

Result<std::string> DecodeRequestPath(std::string_view target) {
  const auto refuse = [&](std::string_view why) {
    return Fail(Code::kInvalid, "path \"{}\" {}", EscapeVisible(target, 120), why);
  };
  const std::string_view path = target.substr(0, target.find('?'));
  if (!path.starts_with('/')) return refuse("does not start with /");
  if (path.size() > kPathMax) return refuse("is longer than 8 KiB");
  std::string decoded;
  for (std::size_t i = 0; i < path.size(); ++i) {
    char c = path[i];
    bool encoded = false;
    if (c == '%') {
      const int high = i + 2 < path.size() ? HexValue(path[i + 1]) : -1;
      const int low = i + 2 < path.size() ? HexValue(path[i + 2]) : -1;
      if (high < 0 || low < 0) return refuse("has a % without two hex digits");
      c = static_cast<char>(high << 4 | low);
      i += 2;
      encoded = true;
    }
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F || (byte == ' ' && !encoded)) return refuse("has a control character or a space");
    if (c == '\\' || c == '#' || (encoded && (c == '/' || c == '%'))) {
      return refuse("has a character that servers read differently (\\, #, encoded / or %)");
    }
    decoded += c;
  }
  if (!IsUtf8(decoded)) return refuse("is not UTF-8");
  for (std::size_t start = 1; start <= decoded.size();) {
    const std::size_t end = std::min(decoded.find('/', start), decoded.size());
    const std::string_view segment = std::string_view(decoded).substr(start, end - start);
    if (IsDotSegment(segment)) return refuse("has a dot segment");
    if (segment.empty() && end < decoded.size()) return refuse("has an empty segment");
    start = end + 1;
  }
  return decoded;
}

bool PathGlobMatches(std::string_view glob, std::string_view path) {
  // Where to go on when a byte does not match: the last star takes one byte more. A later star of the same reach makes
  // an earlier one needless, and `**` makes every earlier one needless.
  struct Star {
    std::size_t glob_next = std::string_view::npos;  // behind the star; npos: none
    std::size_t path_next = 0;                       // the first byte that the star has not taken
  };
  Star segment, any;
  std::size_t g = 0, p = 0;
  while (p < path.size() || g < glob.size()) {
    if (g < glob.size() && glob[g] == '*') {
      const bool across = g + 1 < glob.size() && glob[g + 1] == '*';
      g += across ? 2 : 1;
      (across ? any : segment) = {g, p};
      if (across) segment = {};
    } else if (g < glob.size() && p < path.size() && glob[g] == path[p]) {
      ++g;
      ++p;
    } else if (segment.glob_next != std::string_view::npos && segment.path_next < path.size() &&
               path[segment.path_next] != '/') {
      p = ++segment.path_next;
      g = segment.glob_next;
    } else if (any.glob_next != std::string_view::npos && any.path_next < path.size()) {
      p = ++any.path_next;
      g = any.glob_next;
      segment = {};
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace writ::policy
