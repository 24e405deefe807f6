#include "workspace/git_text.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "base/bytes.h"
#include "workspace/line_diff.h"

namespace writ::workspace {
namespace {

constexpr std::size_t kContext = 3;
constexpr std::size_t kSniffed = 8000;

/// "12,3" with the conventions of unified diffs: one line needs no count, no line names the line before.
std::string Range(std::size_t begin, std::size_t end) {
  const std::size_t count = end - begin;
  if (count == 1) return fmt::format("{}", begin + 1);
  return fmt::format("{},{}", count == 0 ? begin : begin + 1, count);
}

void AppendLine(std::string& out, char mark, std::string_view line) {
  out += mark;
  out += line;
  if (!line.ends_with('\n')) out += "\n\\ No newline at end of file\n";
}

}  // namespace

std::string QuoteGitPath(std::string_view prefix, std::string_view path) {
  std::string text;
  bool quoted = false;
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    constexpr std::string_view kNamed = "\a\b\t\n\v\f\r\"\\", kLetters = "abtnvfr\"\\";
    if (const std::size_t at = kNamed.find(c); at != kNamed.npos) {
      text += '\\';
      text += kLetters[at];
      quoted = true;
    } else if (byte < ' ' || byte >= 0x7F) {
      text += fmt::format("\\{:03o}", byte);
      quoted = true;
    } else {
      text += c;
    }
  }
  return quoted ? fmt::format("\"{}{}\"", prefix, text) : fmt::format("{}{}", prefix, text);
}

std::string GitBlobName(std::string_view content) {
  const std::string head = fmt::format("blob {}", content.size());
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  std::uint8_t digest[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  const bool done = context != nullptr && EVP_DigestInit_ex(context, EVP_sha1(), nullptr) == 1 &&
                    EVP_DigestUpdate(context, head.c_str(), head.size() + 1) == 1 &&
                    EVP_DigestUpdate(context, content.data(), content.size()) == 1 &&
                    EVP_DigestFinal_ex(context, digest, &length) == 1;
  EVP_MD_CTX_free(context);
  if (!done) std::abort();  // no memory, or a library without SHA-1
  return HexEncode({digest, length});
}

bool IsBinary(std::string_view content) { return content.substr(0, kSniffed).find('\0') != content.npos; }

std::string UnifiedHunks(std::string_view old_text, std::string_view new_text) {
  const std::vector<std::string_view> a = SplitLines(old_text), b = SplitLines(new_text);
  const std::vector<LineEdit> edits = DiffLines(a, b);
  std::string out;
  for (std::size_t first = 0; first < edits.size();) {
    // Edits whose contexts touch share a hunk.
    std::size_t last = first;
    while (last + 1 < edits.size() && edits[last + 1].old_begin - edits[last].old_end <= 2 * kContext) ++last;
    const std::size_t before = std::min({kContext, edits[first].old_begin, edits[first].new_begin});
    const std::size_t after = std::min(kContext, a.size() - edits[last].old_end);
    out += fmt::format("@@ -{} +{} @@\n", Range(edits[first].old_begin - before, edits[last].old_end + after),
                       Range(edits[first].new_begin - before, edits[last].new_end + after));
    std::size_t at = edits[first].old_begin - before;
    for (std::size_t i = first; i <= last; ++i) {
      for (; at < edits[i].old_begin; ++at) AppendLine(out, ' ', a[at]);
      for (; at < edits[i].old_end; ++at) AppendLine(out, '-', a[at]);
      for (std::size_t line = edits[i].new_begin; line < edits[i].new_end; ++line) AppendLine(out, '+', b[line]);
    }
    for (const std::size_t end = at + after; at < end; ++at) AppendLine(out, ' ', a[at]);
    first = last + 1;
  }
  return out;
}

}  // namespace writ::workspace
