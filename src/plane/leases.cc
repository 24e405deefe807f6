#include "plane/leases.h"

namespace writ::plane {

void LeaseBook::Add(std::string_view run_id, HeldRun held) {
  Remove(run_id);
  ends_.Add(held.ends_at, run_id);
  held_.emplace(run_id, std::move(held));
}

std::optional<HeldRun> LeaseBook::Remove(std::string_view run_id) {
  const auto found = held_.find(run_id);
  if (found == held_.end()) return std::nullopt;
  ends_.Remove(found->second.ends_at, found->first);
  std::optional<HeldRun> held = std::move(found->second);
  held_.erase(found);
  return held;
}

HeldRun* LeaseBook::Find(std::string_view run_id) {
  const auto found = held_.find(run_id);
  return found == held_.end() ? nullptr : &found->second;
}

void LeaseBook::Renew(std::string_view run_id, MonoTime ends_at) {
  const auto found = held_.find(run_id);
  if (found == held_.end() || !found->second.renewable) return;
  ends_.Remove(found->second.ends_at, found->first);
  found->second.ends_at = ends_at;
  ends_.Add(ends_at, found->first);
}

}  // namespace writ::plane
