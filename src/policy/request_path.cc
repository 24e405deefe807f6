#include <algorithm>
#include <vector>

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
  // matched[j]: the glob up to here matches the first j bytes of the path.
  std::vector<bool> matched(path.size() + 1, false);
  matched[0] = true;
  for (std::size_t i = 0; i < glob.size(); ++i) {
    if (glob[i] != '*') {
      for (std::size_t j = path.size(); j > 0; --j) matched[j] = matched[j - 1] && path[j - 1] == glob[i];
      matched[0] = false;
      continue;
    }
    const bool across = i + 1 < glob.size() && glob[i + 1] == '*';
    if (across) ++i;
    for (std::size_t j = 1; j <= path.size(); ++j) {
      matched[j] = matched[j] || (matched[j - 1] && (across || path[j - 1] != '/'));
    }
  }
  return matched[path.size()];
}

}  // namespace writ::policy
