#include "plane/authority.h"

#include <map>

#include "crypto/digest.h"

namespace writ::plane {

using canon::Json;

namespace {

constexpr std::size_t kChangesMax = 500;

/// What is compared: a word for people -> the values under a key each.
using Facts = std::map<std::string, std::map<std::string, Json>>;

const Json* At(const Json& object, std::initializer_list<std::string_view> path) {
  const Json* value = &object;
  for (const auto name : path) {
    if (value == nullptr) return nullptr;
    value = value->Find(name);
  }
  return value;
}

std::string TextOf(const Json* value) {
  if (value == nullptr) return "";
  return value->is_string() ? value->string() : canon::Compact(*value);
}

/// Every element of a list is a fact of its own.
void AddList(Facts& facts, const std::string& what, const Json* list) {
  if (list == nullptr || !list->is_array()) return;
  for (const Json& item : list->array()) {
    const std::string text = TextOf(&item);
    facts[what].emplace(text, text);
  }
}

/// Every member of an object is a fact with a value.
void AddMembers(Facts& facts, const std::string& what, const Json* object) {
  if (object == nullptr || !object->is_object()) return;
  for (const auto& [name, value] : object->object()) facts[what + " " + name].emplace("", value);
}

void AddValue(Facts& facts, const std::string& what, const Json* value) {
  if (value != nullptr) facts[what].emplace("", *value);
}

/// A list of objects, by one member.
void AddNamed(Facts& facts, const std::string& what, const Json* list, std::string_view name, std::string_view value) {
  if (list == nullptr || !list->is_array()) return;
  for (const Json& item : list->array()) {
    const Json* key = item.Find(name);
    const std::string text = TextOf(key);
    const Json* more = value.empty() ? nullptr : item.Find(value);
    facts[what].emplace(more == nullptr ? text : text + " (" + TextOf(more) + ")", text);
  }
}

Facts FactsOf(const Json& proposal) {
  Facts facts;
  AddList(facts, "host", At(proposal, {"network", "allowHosts"}));
  AddList(facts, "egress rule", At(proposal, {"writ", "egress", "rules"}));
  AddValue(facts, "egress to every public host", At(proposal, {"writ", "egress", "open"}));
  AddValue(facts, "egress budget in bytes", At(proposal, {"writ", "egress", "budgetBytes"}));
  AddValue(facts, "network denied by default", At(proposal, {"network", "defaultDeny"}));
  AddNamed(facts, "secret", proposal.Find("secrets"), "name", "scope");
  AddMembers(facts, "limit", At(proposal, {"writ", "limits"}));
  AddMembers(facts, "budget", proposal.Find("budget"));
  AddValue(facts, "time limit in ms", At(proposal, {"execution", "timeoutMs"}));
  AddValue(facts, "tier", At(proposal, {"writ", "tier"}));
  AddValue(facts, "weakest tier", At(proposal, {"writ", "weakest"}));
  AddValue(facts, "isolation", proposal.Find("isolation"));
  AddMembers(facts, "accepted mechanism for", At(proposal, {"writ", "accept"}));
  AddMembers(facts, "label", At(proposal, {"writ", "labels"}));
  AddValue(facts, "disclosure", proposal.Find("disclosure"));
  AddValue(facts, "identity", At(proposal, {"writ", "identity"}));

  AddMembers(facts, "agent", proposal.Find("agent"));
  for (const std::string_view name : {"kind", "shell", "script", "command", "cwd", "prompt"})
    AddValue(facts, "execution " + std::string(name), At(proposal, {"execution", name}));
  if (const Json* args = At(proposal, {"execution", "args"})) AddValue(facts, "execution args", args);
  AddMembers(facts, "variable", At(proposal, {"execution", "env", "vars"}));
  AddList(facts, "inherited variable", At(proposal, {"execution", "env", "inherit"}));
  AddNamed(facts, "secret as a variable", At(proposal, {"execution", "env", "secrets"}), "env", "secretName");
  AddList(facts, "variable from the requester", At(proposal, {"writ", "envFromCaller"}));

  AddValue(facts, "workspace commit", At(proposal, {"workspace", "baseRef"}));
  AddValue(facts, "workspace bundle", At(proposal, {"workspace", "bundleHash"}));
  AddValue(facts, "workspace changes", At(proposal, {"workspace", "dirtyDiffHash"}));
  AddNamed(facts, "workspace file", At(proposal, {"workspace", "untrackedFiles"}), "path", "hash");
  AddValue(facts, "workspace directory", At(proposal, {"writ", "workspace", "sha256"}));
  AddNamed(facts, "input", At(proposal, {"writ", "inputs"}), "name", "sha256");
  AddValue(facts, "standard input", At(proposal, {"writ", "stdin"}));
  AddNamed(facts, "output", At(proposal, {"writ", "outputs"}), "name", "");
  AddMembers(facts, "root", At(proposal, {"writ", "root"}));
  return facts;
}

}  // namespace

Json DifferenceInAuthority(const std::optional<ApprovedBefore>& before, const Json& proposal) {
  if (!before) return Json::Of({{"since", nullptr}, {"changes", Json::MakeArray()}});
  const Facts old_facts = FactsOf(before->proposal), new_facts = FactsOf(proposal);
  Json changes = Json::MakeArray();
  std::size_t more = 0;
  const auto add = [&](const std::string& what, const char* change, const Json* was, const Json* is) {
    if (changes.array().size() == kChangesMax) {
      ++more;
      return;
    }
    Json entry = Json::Of({{"what", what}, {"change", change}});
    if (was != nullptr) entry.Set("before", *was);
    if (is != nullptr) entry.Set("after", *is);
    changes.Append(std::move(entry));
  };
  static const std::map<std::string, Json> none;
  // Grants first, in the order of their names; both maps are sorted, so the same two runs always give the same list.
  std::map<std::string, bool> names;
  for (const auto& [what, values] : new_facts) names[what] = true;
  for (const auto& [what, values] : old_facts) names[what] = true;
  for (const auto& [what, present] : names) {
    const auto was = old_facts.find(what), is = new_facts.find(what);
    const auto& olds = was == old_facts.end() ? none : was->second;
    const auto& news = is == new_facts.end() ? none : is->second;
    for (const auto& [key, value] : news) {
      const auto known = olds.find(key);
      if (known == olds.end()) {
        add(what, "added", nullptr, &value);
      } else if (!(known->second == value)) {
        add(what, "changed", &known->second, &value);
      }
    }
    for (const auto& [key, value] : olds) {
      if (!news.contains(key)) add(what, "removed", &value, nullptr);
    }
  }
  Json difference = Json::Of({{"since", before->run_id}, {"sinceAt", FormatTimestamp(before->at)}, {"changes", std::move(changes)}});
  if (more > 0) difference.Set("more", more);
  return difference;
}

std::string KindKey(std::string_view principal, const Json& proposal) {
  // JSON of the parts, so that no part can imitate another.
  const Json parts = Json(Json::Array{Json(principal), Json(TextOf(At(proposal, {"requestedBy", "kind"}))),
                                      Json(TextOf(At(proposal, {"requestedBy", "id"}))),
                                      Json(TextOf(At(proposal, {"agent", "kind"}))),
                                      Json(TextOf(At(proposal, {"runner", "pool"})))});
  return "approved/" + crypto::Sha256Hex(canon::Compact(parts));
}

}  // namespace writ::plane
