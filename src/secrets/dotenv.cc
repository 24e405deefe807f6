#include "secrets/dotenv.h"

#include <algorithm>
#include <set>

#include "contract/validators.h"
#include "secrets/record.h"

namespace writ::secrets {
namespace {

std::unexpected<Error> Wrong(std::size_t line, std::string_view why) { return Fail(Code::kInvalid, "line {}: {}", line, why); }

Result<crypto::SecretBytes> DoubleQuoted(std::string_view text, std::size_t line) {
  crypto::SecretBytes value(text.size());
  std::size_t size = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '$' || c == '`') return Wrong(line, "$ and ` in double quotes need single quotes or a backslash before $");
    if (c == '\\') {
      if (++i == text.size()) return Wrong(line, "a backslash ends the value");
      switch (text[i]) {
        case '\\': case '"': case '$': c = text[i]; break;
        case 'n': c = '\n'; break;
        case 'r': c = '\r'; break;
        case 't': c = '\t'; break;
        default: return Wrong(line, "the escapes in double quotes are \\\\ \\\" \\$ \\n \\r \\t");
      }
    }
    value.bytes()[size++] = static_cast<std::uint8_t>(c);
  }
  value.Shrink(size);
  return value;
}

/// Where a double-quoted text that begins before `text` ends; npos when it does not.
std::size_t ClosingQuote(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\') ++i;
    else if (text[i] == '"') return i;
  }
  return text.npos;
}

Result<crypto::SecretBytes> ReadText(std::string_view text, std::size_t line) {
  if (!text.empty() && (text.front() == '\'' || text.front() == '"')) {
    const bool single = text.front() == '\'';
    text.remove_prefix(1);
    const std::size_t end = single ? text.find('\'') : ClosingQuote(text);
    if (end == text.npos) return Wrong(line, "the quote is not closed on the same line");
    if (end + 1 != text.size()) return Wrong(line, "there is text after the closing quote");
    text = text.substr(0, end);
    return single ? Result<crypto::SecretBytes>(crypto::SecretBytes::CopyOf(AsBytes(text))) : DoubleQuoted(text, line);
  }
  constexpr std::string_view kDisputed = " \t\"'#$\\`";
  if (text.find_first_of(kDisputed) != text.npos) return Wrong(line, "a value with space, quotes, #, $, ` or \\ needs single quotes around it");
  return crypto::SecretBytes::CopyOf(AsBytes(text));
}

}  // namespace

Result<std::vector<DotenvEntry>> ParseDotenv(std::string_view text) {
  if (text.size() > kDotenvBytesMax) return Fail(Code::kExhausted, "the file is larger than {} bytes", kDotenvBytesMax);
  std::vector<DotenvEntry> entries;
  std::set<std::string_view> names;
  std::size_t number = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, end - at);
    at = end + 1;
    ++number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.front() == '#') continue;
    const std::size_t equals = line.find('=');
    if (equals == line.npos) return Wrong(number, "it is not NAME=VALUE");
    const auto name = line.substr(0, equals);
    if (!contract::IsEnvName(name)) return Wrong(number, "what stands before = is no name: letters, digits and _, nothing else");
    if (!names.insert(name).second) return Wrong(number, "the name stands in an earlier line too");
    if (entries.size() == kSecretsMax) return Fail(Code::kExhausted, "the file has more than {} secrets", kSecretsMax);
    auto value = ReadText(line.substr(equals + 1), number);
    if (!value) return std::unexpected(std::move(value).error());
    if (auto good = CheckValue(name, value->bytes()); !good) return std::unexpected(std::move(good).error().Doing(fmt::format("line {}", number)));
    entries.push_back({std::string(name), *std::move(value)});
  }
  return entries;
}

}  // namespace writ::secrets
