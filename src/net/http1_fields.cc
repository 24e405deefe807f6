#include <initializer_list>

#include "net/http1.h"
#include "net/http1_text.h"

namespace writ::net {
namespace {

constexpr std::string_view kProxyPrefix = "Proxy-";

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool IsOneOf(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::ranges::any_of(names, [&](std::string_view other) { return FieldNameIs(name, other); });
}

/// Calls `use` with each non-empty item of each field of that name.
template <class Use>
void EachListItem(const Http1Fields& fields, std::string_view name, Use use) {
  for (const Http1Field& field : fields) {
    if (!FieldNameIs(field.name, name)) continue;
    const std::string_view value = field.value;
    for (std::size_t start = 0; start <= value.size();) {
      const std::size_t comma = std::min(value.find(',', start), value.size());
      const std::string_view item = http1::TrimOws(value.substr(start, comma - start));
      if (!item.empty()) use(item);
      start = comma + 1;
    }
  }
}

}  // namespace

bool FieldNameIs(std::string_view name, std::string_view other) {
  return name.size() == other.size() &&
         std::equal(name.begin(), name.end(), other.begin(), [](char a, char b) { return Lower(a) == Lower(b); });
}

const std::string* FindField(const Http1Fields& fields, std::string_view name) {
  const auto found =
      std::ranges::find_if(fields, [&](const Http1Field& field) { return FieldNameIs(field.name, name); });
  return found == fields.end() ? nullptr : &found->value;
}

std::size_t CountFields(const Http1Fields& fields, std::string_view name) {
  return static_cast<std::size_t>(
      std::ranges::count_if(fields, [&](const Http1Field& field) { return FieldNameIs(field.name, name); }));
}

void RemoveField(Http1Fields& fields, std::string_view name) {
  std::erase_if(fields, [&](const Http1Field& field) { return FieldNameIs(field.name, name); });
}

void SetField(Http1Fields& fields, std::string_view name, std::string_view value) {
  const auto first =
      std::ranges::find_if(fields, [&](const Http1Field& field) { return FieldNameIs(field.name, name); });
  if (first == fields.end()) {
    fields.push_back({std::string(name), std::string(value)});
    return;
  }
  first->value = value;
  const auto tail =
      std::remove_if(first + 1, fields.end(), [&](const Http1Field& field) { return FieldNameIs(field.name, name); });
  fields.erase(tail, fields.end());
}

bool HasListItem(const Http1Fields& fields, std::string_view name, std::string_view item) {
  bool found = false;
  EachListItem(fields, name, [&](std::string_view other) { found = found || FieldNameIs(other, item); });
  return found;
}

bool KeepsOpen(unsigned minor, const Http1Fields& fields) {
  if (HasListItem(fields, "Connection", "close")) return false;
  return minor >= 1 || HasListItem(fields, "Connection", "keep-alive");
}

void RemoveHopByHop(Http1Fields& fields) {
  std::vector<std::string> listed;
  EachListItem(fields, "Connection", [&](std::string_view item) {
    if (!IsOneOf(item, {"Host", "Content-Length"})) listed.emplace_back(item);
  });
  std::erase_if(fields, [&](const Http1Field& field) {
    return IsOneOf(field.name, {"Connection", "Keep-Alive", "TE", "Transfer-Encoding", "Upgrade"}) ||
           FieldNameIs(std::string_view(field.name).substr(0, kProxyPrefix.size()), kProxyPrefix) ||
           std::ranges::any_of(listed, [&](const std::string& name) { return FieldNameIs(field.name, name); });
  });
}

}  // namespace writ::net
