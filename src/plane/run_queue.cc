#include "plane/run_queue.h"

#include <algorithm>

namespace writ::plane {

using canon::Json;

namespace {

std::string TextOf(const Json& object, std::string_view name, std::string_view otherwise) {
  const std::string* text = object.FindString(name);
  return text == nullptr ? std::string(otherwise) : *text;
}

std::map<std::string, std::string> LabelsOf(const Json& object) {
  std::map<std::string, std::string> labels;
  const Json* member = object.Find("labels");
  if (member == nullptr || !member->is_object()) return labels;
  for (const auto& [name, value] : member->object())
    if (value.is_string()) labels.emplace(name, value.string());
  return labels;
}

/// The text of needs whoever has them.
std::string KindOf(RunNeeds needs) {
  needs.tenant.clear();
  return ToText(needs);
}

bool Contains(const std::vector<std::string>& list, std::string_view word) {
  return std::ranges::find(list, word) != list.end();
}

}  // namespace

RunNeeds NeedsOf(const Json& contract, std::string_view tenant, const std::map<std::string, std::string>& isolation_tiers) {
  RunNeeds needs;
  needs.tenant = tenant;
  if (const Json* agent = contract.Find("agent")) needs.agent = TextOf(*agent, "kind", needs.agent);
  if (const std::string* isolation = contract.FindString("isolation")) {
    const auto mapped = isolation_tiers.find(*isolation);
    needs.tier = mapped == isolation_tiers.end() ? *isolation : mapped->second;
  }
  const Json* writ = contract.Find("writ");
  if (writ == nullptr || !writ->is_object()) return needs;
  needs.extension = true;
  needs.tier = TextOf(*writ, "tier", needs.tier);
  needs.weakest = TextOf(*writ, "weakest", "");
  needs.labels = LabelsOf(*writ);
  return needs;
}

std::string ToText(const RunNeeds& needs) {
  Json json = Json::Of({{"tier", needs.tier}, {"agent", needs.agent}});
  if (needs.extension) json.Set("writ", true);
  if (!needs.weakest.empty()) json.Set("weakest", needs.weakest);
  if (!needs.tenant.empty()) json.Set("tenant", needs.tenant);
  if (!needs.labels.empty()) {
    Json labels = Json::MakeObject();
    for (const auto& [name, value] : needs.labels) labels.Set(name, value);
    json.Set("labels", std::move(labels));
  }
  return canon::Compact(json);
}

RunNeeds NeedsFromText(std::string_view text) {
  RunNeeds needs;
  const auto json = canon::Parse(text, canon::Mode::kWire);
  if (!json) return needs;
  needs.tier = TextOf(*json, "tier", needs.tier);
  needs.weakest = TextOf(*json, "weakest", "");
  needs.agent = TextOf(*json, "agent", needs.agent);
  needs.tenant = TextOf(*json, "tenant", "");
  needs.extension = json->Find("writ") != nullptr;
  needs.labels = LabelsOf(*json);
  return needs;
}

bool Fits(const RunNeeds& needs, const RunnerOffer& offer) { return WhatIsMissing(needs, offer).empty(); }

std::string WhatIsMissing(const RunNeeds& needs, const RunnerOffer& offer) {
  // A contract may say itself that nothing is enforced; only then may policy hand it to a runner that would ignore it.
  if (needs.extension && !offer.extension && !(offer.legacy_allowed && needs.weakest == "none"))
    return "the contract's writ extension";
  if (!offer.tiers.empty() && !Contains(offer.tiers, needs.tier) &&
      !(needs.extension && !needs.weakest.empty() && Contains(offer.tiers, needs.weakest)))
    return fmt::format("tier \"{}\"", needs.tier);
  if (!offer.agents.empty() && !Contains(offer.agents, needs.agent)) return fmt::format("agent \"{}\"", needs.agent);
  for (const auto& [name, value] : needs.labels) {
    const auto has = offer.labels.find(name);
    if (has == offer.labels.end() || has->second != value) return fmt::format("label {}={}", name, value);
  }
  return {};
}

void RunQueue::Add(WaitingRun run) {
  if (runs_.contains(run.id)) return;
  const auto pool = pools_.try_emplace(run.pool).first;
  const auto [tenant, fresh] = pool->second.tenants.try_emplace(run.needs.tenant);
  // Somebody who comes back waits for those who have waited meanwhile.
  if (fresh) tenant->second.served = turn_;
  RunNeeds kind_needs = run.needs;
  kind_needs.tenant.clear();
  auto& kind = tenant->second.kinds[ToText(kind_needs)];
  kind.needs = std::move(kind_needs);
  kind.waiting.emplace(run.number, run.id);
  ends_.Add(run.ends_at, run.id);
  ++per_tenant_[run.needs.tenant];
  std::string id = run.id;
  runs_.emplace(std::move(id), std::move(run));
}

void RunQueue::Forget(const WaitingRun& run) {
  const auto pool = pools_.find(run.pool);
  const auto tenant = pool->second.tenants.find(run.needs.tenant);
  const auto kind = tenant->second.kinds.find(KindOf(run.needs));
  kind->second.waiting.erase(run.number);
  if (kind->second.waiting.empty()) tenant->second.kinds.erase(kind);
  if (tenant->second.kinds.empty()) pool->second.tenants.erase(tenant);
  if (pool->second.tenants.empty()) pools_.erase(pool);
  ends_.Remove(run.ends_at, run.id);
  const auto count = per_tenant_.find(run.needs.tenant);
  if (--count->second == 0) per_tenant_.erase(count);
}

std::optional<WaitingRun> RunQueue::Take(std::string_view id) {
  const auto found = runs_.find(std::string(id));
  if (found == runs_.end()) return std::nullopt;
  Forget(found->second);
  std::optional<WaitingRun> run = std::move(found->second);
  runs_.erase(found);
  return run;
}

std::optional<std::pair<std::uint64_t, std::string>> RunQueue::OldestFor(const Tenant& tenant, const RunnerOffer& offer,
                                                                        WallTime now) const {
  std::optional<std::pair<std::uint64_t, std::string>> oldest;
  for (const auto& [text, kind] : tenant.kinds) {
    if (!Fits(kind.needs, offer)) continue;
    for (const auto& [number, id] : kind.waiting) {
      if (runs_.find(id)->second.expires <= now) continue;
      if (!oldest || number < oldest->first) oldest = {number, id};
      break;
    }
  }
  return oldest;
}

bool RunQueue::HasFor(std::string_view pool, const RunnerOffer& offer, WallTime now) const {
  const auto found = pools_.find(pool);
  if (found == pools_.end()) return false;
  return std::ranges::any_of(found->second.tenants, [&](const auto& entry) { return OldestFor(entry.second, offer, now).has_value(); });
}

std::optional<WaitingRun> RunQueue::TakeNext(std::string_view pool, const RunnerOffer& offer, WallTime now) {
  const auto found = pools_.find(pool);
  if (found == pools_.end()) return std::nullopt;
  struct Best {
    Tenant* tenant = nullptr;
    std::uint64_t number = 0;
    std::string id;
  } best;
  for (auto& [name, tenant] : found->second.tenants) {
    if (best.tenant != nullptr && tenant.served > best.tenant->served) continue;
    const auto oldest = OldestFor(tenant, offer, now);
    if (!oldest) continue;
    if (best.tenant == nullptr || tenant.served < best.tenant->served || oldest->first < best.number)
      best = {&tenant, oldest->first, oldest->second};
  }
  if (best.tenant == nullptr) return std::nullopt;
  best.tenant->served = ++turn_;
  return Take(best.id);
}

std::size_t RunQueue::CountOfTenant(std::string_view tenant) const {
  const auto found = per_tenant_.find(tenant);
  return found == per_tenant_.end() ? 0 : found->second;
}

std::size_t RunQueue::KindsOfTenant(std::string_view tenant) const {
  std::size_t kinds = 0;
  for (const auto& [name, pool] : pools_) {
    const auto found = pool.tenants.find(tenant);
    if (found != pool.tenants.end()) kinds += found->second.kinds.size();
  }
  return kinds;
}

bool RunQueue::HasKind(std::string_view pool, const RunNeeds& needs) const {
  const auto found = pools_.find(pool);
  if (found == pools_.end()) return false;
  const auto tenant = found->second.tenants.find(needs.tenant);
  return tenant != found->second.tenants.end() && tenant->second.kinds.contains(KindOf(needs));
}

bool RunQueue::HasWaiting(std::string_view pool) const { return pools_.contains(pool); }

}  // namespace writ::plane
