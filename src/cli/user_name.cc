#include "cli/user_name.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string_view>

#include "sys/file.h"

namespace writ::cli {
namespace {

constexpr std::size_t kPasswdBytesMax = 8u << 20;
constexpr std::size_t kNameMax = 64;

/// What login tools accept, and nothing that would need escaping anywhere.
bool IsPlainName(std::string_view name) {
  return !name.empty() && name.size() <= kNameMax && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
  });
}

std::optional<std::string_view> NameIn(std::string_view line, uid_t uid) {
  std::array<std::string_view, 3> fields;  // name, password, uid
  for (auto& field : fields) {
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    field = line.substr(0, colon);
    line.remove_prefix(colon + 1);
  }
  uid_t found = 0;
  const auto [end, error] = std::from_chars(fields[2].data(), fields[2].data() + fields[2].size(), found);
  if (error != std::errc{} || end != fields[2].data() + fields[2].size() || found != uid) return std::nullopt;
  return fields[0];
}

}  // namespace

std::string UserName(uid_t uid, const std::string& passwd_file) {
  const auto content = sys::ReadFile(passwd_file, kPasswdBytesMax);
  std::string_view rest = content ? std::string_view(*content) : std::string_view{};
  while (!rest.empty()) {
    const auto end = std::min(rest.find('\n'), rest.size());
    if (const auto name = NameIn(rest.substr(0, end), uid)) {
      if (IsPlainName(*name)) return std::string(*name);
      break;
    }
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return fmt::format("uid:{}", uid);
}

}  // namespace writ::cli
