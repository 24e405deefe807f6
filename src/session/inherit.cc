#include "session/inherit.h"

#include <algorithm>

namespace writ::session {

bool IsNeverInherited(std::string_view name) {
  return name.starts_with("WRIT_") || name.starts_with("WARRANT_") || name == "VAULT_TOKEN";
}

bool MayInherit(const InheritRule& rule, std::string_view name) {
  if (name.empty() || IsNeverInherited(name) || std::ranges::find(rule.loaded_from, name) != rule.loaded_from.end()) return false;
  return std::ranges::any_of(rule.allow, [&](std::string_view entry) {
    if (!entry.ends_with('*')) return entry == name;
    entry.remove_suffix(1);
    return !entry.empty() && name.starts_with(entry);
  });
}

contract::EnvList Inheritable(const InheritRule& rule, const contract::EnvList& runner) {
  contract::EnvList passed;
  for (const auto& [name, value] : runner) {
    if (MayInherit(rule, name)) passed.emplace_back(name, value);
  }
  return passed;
}

}  // namespace writ::session
