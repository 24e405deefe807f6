#include "client/git_records.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace writ::client {
namespace {

constexpr std::size_t kFields = 5;

bool IsObjectId(std::string_view text) {
  return (text.size() == 40 || text.size() == 64) && text.find_first_not_of("0123456789abcdef") == text.npos;
}
bool IsMode(std::string_view text) { return text.size() == 6 && text.find_first_not_of("01234567") == text.npos; }

}  // namespace

Result<std::vector<std::string>> SplitNul(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t end = text.find('\0');
    if (end == text.npos) return Fail(Code::kCorrupt, "a list of git's is cut off");
    parts.emplace_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  return parts;
}

Result<std::vector<ChangeRecord>> ReadChangeRecords(std::string_view text) {
  const auto not_understood = Fail(Code::kCorrupt, "git's list of changes is not understood");
  auto parts = WRIT_TRY("changes", SplitNul(text));
  if (parts.size() % 2 != 0) return not_understood;
  std::vector<ChangeRecord> records;
  for (std::size_t i = 0; i < parts.size(); i += 2) {
    std::array<std::string_view, kFields> fields;
    std::string_view rest = parts[i];
    if (!rest.starts_with(':')) return not_understood;
    rest.remove_prefix(1);
    for (std::size_t field = 0; field < kFields; ++field) {
      const std::size_t end = std::min(rest.find(' '), rest.size());
      fields[field] = rest.substr(0, end);
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    if (!rest.empty() || !IsMode(fields[1]) || !IsObjectId(fields[3]) || fields[4].size() != 1 || parts[i + 1].empty())
      return not_understood;
    records.push_back({std::string(fields[1]), std::string(fields[3]), std::move(parts[i + 1]), fields[4][0]});
  }
  return records;
}

Result<std::map<std::string, std::string>> ReadBatch(std::string_view text) {
  std::map<std::string, std::string> contents;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view head = end == text.npos ? std::string_view{} : text.substr(0, end);
    const std::size_t kind = head.find(" blob ");
    std::size_t bytes = 0;
    if (kind == head.npos || !IsObjectId(head.substr(0, kind)))
      return Fail(Code::kCorrupt, "git's answer about a blob is not understood");
    const char* const number = head.data() + kind + 6;
    const auto read = std::from_chars(number, head.data() + head.size(), bytes);
    text.remove_prefix(end + 1);
    if (read.ec != std::errc{} || read.ptr != head.data() + head.size() || bytes >= text.size() || text[bytes] != '\n')
      return Fail(Code::kCorrupt, "git's answer about a blob is cut off");
    contents.insert_or_assign(std::string(head.substr(0, kind)), std::string(text.substr(0, bytes)));
    text.remove_prefix(bytes + 1);
  }
  return contents;
}

}  // namespace writ::client
