#include "workspace/warrant_manifest.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/utf8.h"
#include "crypto/digest.h"

namespace writ::workspace {
namespace {

constexpr std::string_view kEscaped = "%:";

bool IsAsciiLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

bool IsSafe(std::string_view path) {
  if (path.empty() || path.size() > 4096 || path.front() == '/') return false;
  if (path.size() >= 2 && IsAsciiLetter(path[0]) && path[1] == ':') return false;
  if (path.find_first_of(std::string_view("\\\0\n\r", 4)) != path.npos || path.find("//") != path.npos) return false;
  if (path.find("\xE2\x80\xA8") != path.npos || path.find("\xE2\x80\xA9") != path.npos) return false;
  for (std::size_t start = 0; start <= path.size();) {
    const std::size_t end = std::min(path.find('/', start), path.size());
    if (path.substr(start, end - start) == "..") return false;
    start = end + 1;
  }
  return true;
}

}  // namespace

Result<> CheckWorkspacePath(std::string_view path) {
  if (IsSafe(path)) return {};
  return Fail(Code::kInvalid, "workspace path \"{}\" must be a safe relative path", path);
}

std::string ToWirePath(std::string_view path) {
  if (IsSafe(path) && IsUtf8(path) && !path.starts_with(kEscaped)) return std::string(path);
  std::string text(kEscaped);
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte > ' ' && byte < 0x7F && c != '%' && c != '\\') {
      text += c;
    } else {
      text += fmt::format("%{:02X}", byte);
    }
  }
  return text;
}

Result<std::string> FromWirePath(std::string_view text) {
  if (!text.starts_with(kEscaped)) return std::string(text);
  std::string path;
  for (std::size_t i = kEscaped.size(); i < text.size(); ++i) {
    if (text[i] != '%') {
      path += text[i];
      continue;
    }
    const auto byte = HexDecode(text.substr(i + 1, 2));
    if (!byte || byte->size() != 1) return Fail(Code::kInvalid, "path {:?} has a broken escape at {}", text, i);
    path += *byte;
    i += 2;
  }
  return path;
}

canon::Json ToWarrantManifest(const Manifest& manifest, const std::optional<std::string>& base_commit,
                              const PatternList& deny) {
  canon::Json::Array files, patterns, denied;
  for (const Entry& entry : manifest.entries) {
    if (entry.state.type != EntryType::kFile) continue;
    files.push_back(canon::Json::Of(
        {{"path", ToWirePath(entry.path)}, {"hash", entry.state.sha256}, {"bytes", entry.state.bytes}}));
  }
  if (manifest.denied_kept_out) {
    for (std::string& text : deny.texts()) patterns.emplace_back(std::move(text));
    for (const std::string& path : manifest.denied) denied.emplace_back(ToWirePath(path));
  }
  return canon::Json::Of({{"version", "warrant.manifest.v1"},
                          {"baseRef", base_commit.value_or("none")},
                          {"bundleHash", crypto::Sha256Hex(std::string_view())},
                          {"untrackedFiles", std::move(files)},
                          {"deniedPatterns", std::move(patterns)},
                          {"deniedPaths", std::move(denied)}});
}

}  // namespace writ::workspace
