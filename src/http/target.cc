#include "http/target.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/escape.h"

namespace writ::http {
namespace {

constexpr std::size_t kLoggedColumns = 300;

std::string Decoded(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '%' && at + 2 < text.size()) {
      if (const auto byte = HexDecode(text.substr(at + 1, 2)); byte && byte->size() == 1) {
        out += *byte;
        at += 2;
        continue;
      }
    }
    out.push_back(text[at] == '+' ? ' ' : text[at]);
  }
  return out;
}

}  // namespace

Result<Target> SplitTarget(std::string_view path_and_query) {
  const std::size_t mark = path_and_query.find('?');
  Target target{.path = std::string(path_and_query.substr(0, mark)), .query = {}};
  std::string_view rest = mark == path_and_query.npos ? std::string_view() : path_and_query.substr(mark + 1);
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('&'), rest.size());
    const std::string_view part = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (part.empty()) continue;
    if (target.query.size() == kQueryPartsMax) return Fail(Code::kInvalid, "a query has at most {} parameters", kQueryPartsMax);
    const std::size_t equals = std::min(part.find('='), part.size());
    target.query.emplace_back(Decoded(part.substr(0, equals)), Decoded(part.substr(std::min(equals + 1, part.size()))));
  }
  return target;
}

bool CarriesToken(const Target& target) {
  return std::ranges::any_of(target.query, [](const auto& part) {
    std::string name;
    for (const char c : part.first)
      if (c != '_' && c != '-') name.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c);
    return name.find("token") != name.npos || name == "authorization" || name == "bearer" || name == "password" || name == "apikey";
  });
}

std::string LoggedTarget(const Target& target) {
  std::string text = target.path;
  char mark = '?';
  for (const auto& part : target.query) {
    text.push_back(std::exchange(mark, '&'));
    text += part.first + "=...";
  }
  return EscapeVisible(text, kLoggedColumns);
}

}  // namespace writ::http
