#include "canon/json.h"

#include <algorithm>
#include <span>

namespace writ::canon {
namespace {

std::vector<const Json::Member*> SortedMembers(const Json::Object& object) {
  std::vector<const Json::Member*> sorted;
  sorted.reserve(object.size());
  for (const Json::Member& member : object) sorted.push_back(&member);
  std::ranges::sort(sorted, {}, [](const Json::Member* member) -> const std::string& { return member->first; });
  return sorted;
}

bool SameMembers(const Json::Object& a, const Json::Object& b) {
  if (a.size() != b.size()) return false;
  const auto left = SortedMembers(a), right = SortedMembers(b);
  return std::ranges::equal(left, right, [](const Json::Member* x, const Json::Member* y) {
    return x->first == y->first && x->second == y->second;
  });
}

}  // namespace

Json Json::FromObject(Object members) {
  Json json;
  json.value_ = std::move(members);
  return json;
}

const Json* Json::Find(std::string_view name) const {
  const Object* members = std::get_if<Object>(&value_);
  if (members == nullptr) return nullptr;
  for (const Member& member : *members) {
    if (member.first == name) return &member.second;
  }
  return nullptr;
}

const std::string* Json::FindString(std::string_view name) const {
  const Json* found = Find(name);
  return found == nullptr ? nullptr : std::get_if<std::string>(&found->value_);
}

Json& Json::Set(std::string_view name, Json value) {
  Object& members = std::get<Object>(value_);
  const auto found = std::ranges::find(members, name, &Member::first);
  if (found != members.end()) {
    found->second = std::move(value);
  } else {
    members.emplace_back(name, std::move(value));
  }
  return *this;
}

void Json::Remove(std::string_view name) {
  std::erase_if(std::get<Object>(value_), [&](const Member& member) { return member.first == name; });
}

bool Json::operator==(const Json& other) const {
  if (is_object() && other.is_object()) return SameMembers(object(), other.object());
  return value_ == other.value_;
}

}  // namespace writ::canon
