#include "workspace/git_binary.h"

#include <zlib.h>

#include <algorithm>
#include <cstdint>

namespace writ::workspace {
namespace {

constexpr std::string_view kDigits =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~";
static_assert(kDigits.size() == 85);
constexpr std::size_t kLineBytes = 52;

void AppendLine(std::string& out, std::string_view bytes) {
  out += static_cast<char>(bytes.size() <= 26 ? 'A' + bytes.size() - 1 : 'a' + bytes.size() - 27);
  for (std::size_t at = 0; at < bytes.size(); at += 4) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      value = value << 8 | (at + i < bytes.size() ? static_cast<unsigned char>(bytes[at + i]) : 0u);
    }
    char digits[5];
    for (int i = 4; i >= 0; --i) {
      digits[i] = kDigits[value % 85];
      value /= 85;
    }
    out.append(digits, sizeof digits);
  }
  out += '\n';
}

Result<> AppendLiteral(std::string& out, std::string_view content) {
  uLongf length = ::compressBound(content.size());
  std::string packed(length, '\0');
  const int status = ::compress2(reinterpret_cast<Bytef*>(packed.data()), &length,
                                 reinterpret_cast<const Bytef*>(content.data()), content.size(), Z_DEFAULT_COMPRESSION);
  if (status != Z_OK) return Fail(Code::kInternal, "zlib error {}", status);
  packed.resize(length);
  out += fmt::format("literal {}\n", content.size());
  for (std::size_t at = 0; at < packed.size(); at += kLineBytes) {
    AppendLine(out, std::string_view(packed).substr(at, kLineBytes));
  }
  out += '\n';
  return {};
}

}  // namespace

Result<std::string> GitBinaryPatch(std::string_view old_content, std::string_view new_content) {
  std::string out = "GIT binary patch\n";
  WRIT_TRY("binary patch", AppendLiteral(out, new_content));
  WRIT_TRY("binary patch", AppendLiteral(out, old_content));
  return out;
}

}  // namespace writ::workspace
