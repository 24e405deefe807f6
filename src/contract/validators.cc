#include "contract/validators.h"

#include <algorithm>

#include "base/utf8.h"

namespace writ::contract {
namespace {

bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

/// Whether a `..` component, an empty component or a character no path may have is in there.
bool IsUnsafePath(std::string_view path) {
  if (path.empty() || path.front() == '/') return true;
  if (path.size() >= 2 && IsLetter(path[0]) && path[1] == ':') return true;
  if (path.find_first_of(std::string_view("\\\0\n\r", 4)) != std::string_view::npos) return true;
  if (path.find("//") != std::string_view::npos) return true;
  if (path.find("\xE2\x80\xA8") != std::string_view::npos || path.find("\xE2\x80\xA9") != std::string_view::npos) return true;
  for (std::size_t start = 0; start <= path.size();) {
    const std::size_t end = std::min(path.find('/', start), path.size());
    if (path.substr(start, end - start) == "..") return true;
    start = end + 1;
  }
  return false;
}

}  // namespace

bool IsEnvName(std::string_view name) {
  return !name.empty() && name.size() <= 256 && !IsDigit(name.front()) &&
         std::ranges::all_of(name, [](char c) { return IsLetter(c) || IsDigit(c) || c == '_'; });
}

Result<std::string> CheckSecretName(std::string_view name) {
  if (!IsEnvName(name)) return Fail(Code::kInvalid, "secret name \"{}\" must be a POSIX environment identifier", name);
  return std::string(name);
}

Result<std::string> CheckPoolName(std::string_view pool) {
  const bool known = std::ranges::all_of(
      pool, [](char c) { return IsLetter(c) || IsDigit(c) || c == '_' || c == '.' || c == ':' || c == '-'; });
  if (pool.empty() || pool.size() > 128 || !known) {
    return Fail(Code::kInvalid, "pool name \"{}\" contains unsupported characters", pool);
  }
  return std::string(pool);
}

Result<std::string> CheckAllowHost(std::string_view host) {
  std::string name(TrimSpace(host));
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  if (name.ends_with('.')) name.pop_back();
  if (name.empty() || Utf16Length(name) > 253 || name.find_first_of("/@:") != std::string::npos) {
    return Fail(Code::kInvalid, "host allowlist entry \"{}\" is not a bare host name", host);
  }
  return name;
}

Result<std::string> CheckWorkspacePath(std::string_view path) {
  if (IsUnsafePath(path)) return Fail(Code::kInvalid, "workspace path \"{}\" must be a safe relative path", path);
  return std::string(path);
}

Result<std::string> ResolveInside(std::string_view root, std::string_view path) {
  std::string relative(path);
  std::ranges::replace(relative, '\\', '/');
  if (auto checked = CheckWorkspacePath(relative); !checked) return checked;
  std::string resolved(root);
  while (resolved.size() > 1 && resolved.ends_with('/')) resolved.pop_back();
  for (std::size_t start = 0; start < relative.size();) {
    const std::size_t end = std::min(relative.find('/', start), relative.size());
    const std::string_view part = std::string_view(relative).substr(start, end - start);
    if (!part.empty() && part != ".") {
      if (!resolved.ends_with('/')) resolved += '/';
      resolved += part;
    }
    start = end + 1;
  }
  return resolved;
}

}  // namespace writ::contract
