#include "storage/decision_log.h"

#include "contract/chain.h"

namespace writ::storage {
namespace {

constexpr std::size_t kPage = 1024;

}  // namespace

Result<DecisionEntry> MakeDecisionEntry(const DecisionHead& head, const NewDecision& decision) {
  canon::Json event = canon::Json::Of({
      {"type", fmt::format("writ.decision.{}", DecisionKindName(decision.kind))},
      {"digest", decision.digest},
      {"reason", decision.reason},
  });
  if (!decision.run_id.empty()) event.Set("runId", decision.run_id);
  if (!decision.policy_hash.empty()) event.Set("policyHash", decision.policy_hash);
  if (!decision.detail.is_null()) event.Set("detail", decision.detail);
  auto chain = contract::EventChain::Resume(head.count, head.hash);
  const canon::Json entry = WRIT_TRY("log decision", chain.Append(decision.at, std::move(event)));
  return DecisionEntry{WRIT_TRY("log decision", canon::Canonical(entry)), chain.head()};
}

Result<DecisionHead> VerifyDecisions(Store& store, std::string_view genesis) {
  contract::EventChain chain{std::string(genesis)};
  for (;;) {
    const auto page = WRIT_TRY("verify decisions", store.Decisions(chain.count(), kPage));
    for (const Decision& decision : page) {
      const auto broken = [&](std::string_view why) {
        return Fail(Code::kCorrupt, "decision log broken at seq {}: {}", chain.count(), why);
      };
      const auto entry = canon::Parse(decision.text, canon::Mode::kStrict);
      if (!entry) return broken("not JSON");
      const auto accepted = chain.Accept(*entry);
      if (!accepted) return broken(accepted.error().what);
      if (*accepted) return broken((*accepted)->reason);
      // The columns that queries use must say what the entry says.
      const canon::Json* event = entry->Find("event");
      const std::string* type = event == nullptr ? nullptr : event->FindString("type");
      const std::string* run_id = event == nullptr ? nullptr : event->FindString("runId");
      if (type == nullptr || *type != fmt::format("writ.decision.{}", DecisionKindName(decision.kind))) {
        return broken("kind differs from the entry");
      }
      if ((run_id == nullptr ? "" : *run_id) != decision.run_id) return broken("run differs from the entry");
      if (decision.hash != chain.head() || decision.seq + 1 != chain.count())
        return broken("row differs from the entry");
    }
    if (page.size() < kPage) break;
  }
  const DecisionHead head = WRIT_TRY("verify decisions", store.GetDecisionHead(genesis));
  if (head.count != chain.count() || head.hash != chain.head()) {
    return Fail(Code::kCorrupt, "decision log broken at seq {}: the log ends here, but {} entries were written",
                chain.count(), head.count);
  }
  return head;
}

}  // namespace writ::storage
