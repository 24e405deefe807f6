// Two texts, separated by the first NUL: the hunks of their diff, applied to the first, give the second, and a quoted
// path reads back as the path.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "workspace/git_text.h"
#include "workspace/line_diff.h"

namespace {

std::string Unquote(std::string_view text) {
  if (!text.starts_with('"')) return std::string(text);
  text = text.substr(1, text.size() - 2);
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      out += text[i];
      continue;
    }
    const char c = text.at(++i);
    if (c >= '0' && c <= '3') {
      out += static_cast<char>(std::stoi(std::string(text.substr(i, 3)), nullptr, 8));
      i += 2;
    } else {
      const std::size_t at = std::string_view("abtnvfr\"\\").find(c);
      if (at == std::string_view::npos) std::abort();
      out += "\a\b\t\n\v\f\r\"\\"[at];
    }
  }
  return out;
}

/// Applies hunks as patch(1) reads them, checking every context and removed line.
std::string ApplyHunks(std::string_view old_text, std::string_view hunks) {
  const auto old_lines = writ::workspace::SplitLines(old_text);
  const auto lines = writ::workspace::SplitLines(hunks);
  std::string out;
  std::size_t at = 0;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string_view line = lines[i];
    if (line.starts_with("@@ -")) {
      const std::size_t number = std::stoul(std::string(line.substr(4)));
      const std::string_view range = line.substr(4, line.find(' ', 4) - 4);
      const std::size_t begin = range.ends_with(",0") ? number : number - 1;
      while (at < begin) out += old_lines.at(at++);
      continue;
    }
    std::string body(line.substr(1));
    if (i + 1 < lines.size() && lines[i + 1].starts_with("\\ No newline")) {
      body.pop_back();
      ++i;
    }
    if (line[0] == ' ' || line[0] == '-') {
      if (old_lines.at(at++) != body) std::abort();
    }
    if (line[0] == ' ' || line[0] == '+') out += body;
  }
  while (at < old_lines.size()) out += old_lines[at++];
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t split = std::min(input.find('\0'), input.size());
  const std::string_view old_text = input.substr(0, split);
  const std::string_view new_text = input.substr(std::min(split + 1, input.size()));
  const std::string hunks = writ::workspace::UnifiedHunks(old_text, new_text);
  if (ApplyHunks(old_text, hunks) != new_text) std::abort();
  if (hunks.empty() != (old_text == new_text)) std::abort();
  const auto a = writ::workspace::SplitLines(old_text), b = writ::workspace::SplitLines(new_text);
  std::string rebuilt;
  std::size_t at = 0;
  for (const auto& edit : writ::workspace::DiffLines(a, b, size)) {  // the cost bound is met often
    while (at < edit.old_begin) rebuilt += a[at++];
    for (std::size_t i = edit.new_begin; i < edit.new_end; ++i) rebuilt += b[i];
    at = edit.old_end;
  }
  while (at < a.size()) rebuilt += a[at++];
  if (rebuilt != new_text) std::abort();
  if (Unquote(writ::workspace::QuoteGitPath("", new_text)) != new_text) std::abort();
  return 0;
}
