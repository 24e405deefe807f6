#include "plane/lockout.h"

namespace writ::plane {

const Lockout::Pair* Lockout::Find(std::string_view address, std::string_view name) const {
  const auto found = pairs_.find(Key(address, name));
  return found == pairs_.end() ? nullptr : &found->second;
}

Lockout::Pair& Lockout::Touch(std::string_view address, std::string_view name, MonoTime now) {
  const Key key(address, name);
  const auto [found, fresh] = pairs_.try_emplace(key);
  if (!fresh) by_touch_.erase({found->second.touched, key});
  found->second.touched = now;
  by_touch_[{now, key}] = true;
  if (pairs_.size() > entries_max_) {
    // The pair just touched is the newest, so it is not the one that goes (unless all were touched at this moment).
    auto oldest = by_touch_.begin();
    if (oldest->first.second == key) ++oldest;
    pairs_.erase(oldest->first.second);
    by_touch_.erase(oldest);
  }
  return found->second;
}

bool Lockout::UnknownLocked(std::string_view address, MonoTime now) const {
  const Pair* pair = Find(address, kUnknown);
  return pair != nullptr && IsLocked(*pair, now);
}

bool Lockout::Locked(std::string_view address, std::string_view name, MonoTime now) const {
  const Pair* pair = Find(address, name);
  if (pair != nullptr && IsLocked(*pair, now)) return true;
  return (pair == nullptr || !pair->let_in) && UnknownLocked(address, now);
}

void Lockout::Failed(std::string_view address, std::string_view name, MonoTime now) {
  Pair& pair = Touch(address, name, now);
  while (!pair.failures.empty() && now - pair.failures.front() >= kWindow) pair.failures.pop_front();
  pair.failures.push_back(now);
  if (pair.failures.size() < kFailuresMax) return;
  pair.locked_until = now + kLock;
  pair.failures.clear();
}

void Lockout::LetIn(std::string_view address, std::string_view name, MonoTime now) {
  const Pair* known = Find(address, name);
  // The usual case costs one look-up.
  if (known != nullptr && known->let_in && known->failures.empty() && now - known->touched < kWindow) return;
  Pair& pair = Touch(address, name, now);
  pair.failures.clear();
  pair.let_in = true;
}

}  // namespace writ::plane
