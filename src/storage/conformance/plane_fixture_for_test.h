#pragma once

#include <string>
#include <vector>

#include "storage/conformance/store_fixture_for_test.h"

namespace writ::storage {

inline Lease LeaseOf(std::uint32_t attempt, std::int64_t until, bool renewable = true) {
  return {.runner_id = "rnr_1",
          .claim_id = fmt::format("claim_{}", attempt),
          .until = At(until),
          .attempt = attempt,
          .renewable = renewable};
}
inline Principal PrincipalOf(const std::string& name) {
  return {.id = "prn_" + name, .name = name, .role = "admin", .token_hash = Hash(name), .created = At(1)};
}
inline Runner RunnerOf(const std::string& id) {
  return {.id = id, .pool = "p", .key_id = "k", .public_pem = "PEM", .token_hash = Hash(id), .enrolled = At(1)};
}
inline Approval ApprovalOf(const std::string& actor, const std::string& verdict = "approve") {
  return {.actor_kind = "human",
          .actor_id = actor,
          .digest = Hash("what"),
          .policy_hash = Hash("policy"),
          .verdict = verdict,
          .reason = "because\n",
          .at = At(5),
          .expires = At(6)};
}

class PlaneTablesTest : public StoreTest {
 protected:
  void Enqueue(const std::string& id, const std::string& pool = "p", std::int64_t expires = 10'000) {
    CreateContractedRun(id);
    const auto done = Do([&](Transaction& t) {
      return t.Enqueue(id, {.pool = pool, .needs = "{\"for\":\"" + id + "\"}", .expires = At(expires)});
    });
    ASSERT_TRUE(done) << done.error().what;
  }
  Result<> Claim(const std::string& id, const Lease& lease) {
    return Do([&](Transaction& t) { return t.Claim(id, lease, At(2000)); });
  }
  std::vector<std::string> Waiting(const std::string& pool = "p", std::size_t limit = 100, std::uint64_t after = 0) {
    std::vector<std::string> ids;
    const auto rows = *store_->Queued(pool, limit, after);
    for (const QueuedRun& run : rows) ids.push_back(run.id);
    return ids;
  }
  /// Error code of a change on its own; kInternal when it succeeded.
  template <class Change>
  Code Refused(Change change) {
    const auto done = Do(change);
    return done ? Code::kInternal : done.error().code;
  }
  RunStatus StatusOf(const std::string& id) { return store_->GetRun(id)->status; }
};

}  // namespace writ::storage
