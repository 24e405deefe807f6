#include "storage/plane_tables.h"

#include <gmock/gmock.h>

#include "storage/conformance/store_fixture_for_test.h"

namespace writ::storage {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Lease LeaseOf(std::uint32_t attempt, std::int64_t until, bool renewable = true) {
  return {.runner_id = "rnr_1",
          .claim_id = fmt::format("claim_{}", attempt),
          .until = At(until),
          .attempt = attempt,
          .renewable = renewable};
}
Principal PrincipalOf(const std::string& name) {
  return {.id = "prn_" + name, .name = name, .role = "admin", .token_hash = Hash(name), .created = At(1)};
}
Runner RunnerOf(const std::string& id) {
  return {.id = id, .pool = "p", .key_id = "k", .public_pem = "PEM", .token_hash = Hash(id), .enrolled = At(1)};
}
Approval ApprovalOf(const std::string& actor, const std::string& verdict = "approve") {
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

INSTANTIATE_TEST_SUITE_P(Stores, PlaneTablesTest, testing::Values("memory", "sqlite"),
                         [](const auto& param) { return std::string(param.param); });

TEST_P(PlaneTablesTest, RunsWaitInTheOrderInWhichTheyWereMade) {
  Enqueue("c");
  Enqueue("a");
  Enqueue("other", "q");
  Enqueue("b");
  EXPECT_THAT(Waiting(), ElementsAre("c", "a", "b"));
  EXPECT_THAT(Waiting("q"), ElementsAre("other"));
  EXPECT_THAT(Waiting("none"), IsEmpty());
  EXPECT_THAT(Waiting("p", 2), ElementsAre("c", "a"));
  const auto first = store_->Queued("p", 1)->front();
  EXPECT_EQ(first.entry.needs, "{\"for\":\"c\"}");
  EXPECT_EQ(first.entry.pool, "p");
  EXPECT_EQ(first.entry.expires, At(10'000));
  EXPECT_EQ(first.attempts, 0u);
  EXPECT_EQ(first.number, store_->GetRun("c")->number);
  EXPECT_THAT(Waiting("p", 100, first.number), ElementsAre("a", "b"));
  EXPECT_THAT(Waiting("p", SIZE_MAX, UINT64_MAX), IsEmpty());
}

TEST_P(PlaneTablesTest, OnlyCreatedRunsWithAContractWaitAndOnce) {
  const auto enqueue = [&](const std::string& id) {
    return Refused([&](Transaction& t) { return t.Enqueue(id, {.pool = "p", .expires = At(1)}); });
  };
  EXPECT_EQ(enqueue("none"), Code::kNotFound);
  CreateRun("draft");
  EXPECT_EQ(enqueue("draft"), Code::kInvalid);
  Enqueue("twice");
  EXPECT_EQ(enqueue("twice"), Code::kInvalid);
  CreateContractedRun("ended");
  Finish("ended", At(1));
  EXPECT_EQ(enqueue("ended"), Code::kInvalid);
  CreateContractedRun("running");
  ASSERT_TRUE(Do([](Transaction& t) { return t.SetStatus("running", RunStatus::kRunning, At(1)); }));
  EXPECT_EQ(enqueue("running"), Code::kInvalid);
  CreateContractedRun("nowhere");
  EXPECT_EQ(Refused([](Transaction& t) { return t.Enqueue("nowhere", {.pool = ""}); }), Code::kInvalid);
}

TEST_P(PlaneTablesTest, AClaimTakesTheRunOutOfTheQueueOnce) {
  Enqueue("run_1");
  EXPECT_EQ(*store_->GetLease("run_1"), std::nullopt);
  EXPECT_EQ(store_->GetLease("none").error().code, Code::kNotFound);
  ASSERT_TRUE(Claim("run_1", LeaseOf(1, 5000)));
  EXPECT_EQ(StatusOf("run_1"), RunStatus::kClaimed);
  EXPECT_EQ(store_->GetRun("run_1")->updated, At(2000));
  EXPECT_THAT(Waiting(), IsEmpty());
  EXPECT_EQ(*store_->GetLease("run_1"), LeaseOf(1, 5000));
  EXPECT_EQ(Claim("run_1", LeaseOf(2, 5000)).error().code, Code::kInvalid);
  EXPECT_EQ(Claim("run_1", LeaseOf(1, 5000)).error().code, Code::kInvalid);
  EXPECT_EQ(Claim("none", LeaseOf(1, 5000)).error().code, Code::kNotFound);
  EXPECT_EQ(*store_->GetLease("run_1"), LeaseOf(1, 5000));
}

TEST_P(PlaneTablesTest, WhatDoesNotWaitCannotBeClaimed) {
  CreateContractedRun("local");
  EXPECT_EQ(Claim("local", LeaseOf(1, 5000)).error().code, Code::kInvalid);
  Enqueue("cancelled");
  ASSERT_TRUE(Do([](Transaction& t) { return t.SetStatus("cancelled", RunStatus::kCancelled, At(3)); }));
  EXPECT_THAT(Waiting(), IsEmpty());
  EXPECT_EQ(Claim("cancelled", LeaseOf(1, 5000)).error().code, Code::kInvalid);
  Enqueue("parked");
  ASSERT_TRUE(Do([](Transaction& t) { return t.SetStatus("parked", RunStatus::kAwaitingApproval, At(3)); }));
  EXPECT_EQ(Claim("parked", LeaseOf(1, 5000)).error().code, Code::kInvalid);
  Enqueue("run_1");
  EXPECT_EQ(Claim("run_1", LeaseOf(2, 5000)).error().code, Code::kInvalid) << "not the next attempt";
  EXPECT_EQ(Claim("run_1", LeaseOf(0, 5000)).error().code, Code::kInvalid);
}

TEST_P(PlaneTablesTest, LeasesAreRenewedByTheirClaimOnly) {
  Enqueue("run_1");
  const auto renew = [&](const std::string& id, const std::string& claim) {
    return Refused([&](Transaction& t) { return t.RenewLease(id, claim, At(9000)); });
  };
  EXPECT_EQ(renew("run_1", "claim_1"), Code::kInvalid) << "nobody holds it";
  ASSERT_TRUE(Claim("run_1", LeaseOf(1, 5000)));
  EXPECT_EQ(renew("run_1", "claim_0"), Code::kInvalid);
  EXPECT_EQ(renew("run_1", ""), Code::kInvalid);
  EXPECT_EQ(renew("none", "claim_1"), Code::kNotFound);
  ASSERT_TRUE(Do([](Transaction& t) { return t.RenewLease("run_1", "claim_1", At(9000)); }));
  EXPECT_EQ(*store_->GetLease("run_1"), LeaseOf(1, 9000));
  Enqueue("old");
  ASSERT_TRUE(Claim("old", LeaseOf(1, 5000, false)));
  EXPECT_EQ(renew("old", "claim_1"), Code::kInvalid) << "not renewable";
  EXPECT_EQ(*store_->GetLease("old"), LeaseOf(1, 5000, false));
}

TEST_P(PlaneTablesTest, ARequeuedRunKeepsItsPlace) {
  Enqueue("first");
  Enqueue("second");
  EXPECT_EQ(Refused([](Transaction& t) { return t.Requeue("first", At(1)); }), Code::kInvalid) << "nobody holds it";
  ASSERT_TRUE(Claim("first", LeaseOf(1, 5000)));
  ASSERT_TRUE(Do([](Transaction& t) { return t.SetStatus("first", RunStatus::kRunning, At(3)); }));
  ASSERT_TRUE(Do([](Transaction& t) { return t.Requeue("first", At(4)); }));
  EXPECT_EQ(StatusOf("first"), RunStatus::kCreated);
  EXPECT_EQ(store_->GetRun("first")->updated, At(4));
  EXPECT_EQ(*store_->GetLease("first"), std::nullopt);
  EXPECT_THAT(Waiting(), ElementsAre("first", "second"));
  EXPECT_EQ(store_->Queued("p", 1)->front().attempts, 1u);
  EXPECT_EQ(Claim("first", LeaseOf(1, 5000)).error().code, Code::kInvalid) << "that attempt is over";
  ASSERT_TRUE(Claim("first", LeaseOf(2, 6000)));
  EXPECT_EQ(Refused([](Transaction& t) { return t.RenewLease("first", "claim_1", At(9000)); }), Code::kInvalid)
      << "the runner that was thought lost";
  EXPECT_EQ(*store_->GetLease("first"), LeaseOf(2, 6000));
}

TEST_P(PlaneTablesTest, ARunThatEndsIsHeldByNobody) {
  for (const char* id : {"receipt", "status"}) {
    Enqueue(id);
    ASSERT_TRUE(Claim(id, LeaseOf(1, 5000)));
  }
  EXPECT_EQ(*store_->NextLeaseEnd(), At(5000));
  Finish("receipt", At(3));
  ASSERT_TRUE(Do([](Transaction& t) { return t.SetStatus("status", RunStatus::kFailed, At(3)); }));
  for (const char* id : {"receipt", "status"}) {
    EXPECT_EQ(*store_->GetLease(id), std::nullopt) << id;
    EXPECT_EQ(Refused([&](Transaction& t) { return t.Requeue(id, At(4)); }), Code::kInvalid) << id;
    EXPECT_EQ(Refused([&](Transaction& t) { return t.RenewLease(id, "claim_1", At(4)); }), Code::kInvalid) << id;
  }
  EXPECT_EQ(*store_->NextLeaseEnd(), std::nullopt);
  EXPECT_THAT(*store_->ExpiredLeases(At(INT64_MAX), 10), IsEmpty());
}

TEST_P(PlaneTablesTest, WhatExpiresIsFoundInThatOrder) {
  EXPECT_EQ(*store_->NextQueueEnd(), std::nullopt);
  EXPECT_EQ(*store_->NextLeaseEnd(), std::nullopt);
  Enqueue("late", "p", 300);
  Enqueue("early", "q", 100);
  Enqueue("never", "p", 100'000);
  Enqueue("held", "p", 50);
  ASSERT_TRUE(Claim("held", LeaseOf(1, 700)));
  EXPECT_EQ(*store_->NextQueueEnd(), At(100)) << "what is held does not wait";
  const auto expired = [&](std::int64_t now, std::size_t limit = 10) {
    std::vector<std::string> ids;
    const auto rows = *store_->ExpiredQueue(At(now), limit);
    for (const QueuedRun& run : rows) ids.push_back(run.id);
    return ids;
  };
  EXPECT_THAT(expired(99), IsEmpty());
  EXPECT_THAT(expired(100), ElementsAre("early"));
  EXPECT_THAT(expired(300), ElementsAre("early", "late"));
  EXPECT_THAT(expired(300, 1), ElementsAre("early"));
  EXPECT_EQ(*store_->NextLeaseEnd(), At(700));
  EXPECT_THAT(*store_->ExpiredLeases(At(699), 10), IsEmpty());
  Enqueue("held2");
  ASSERT_TRUE(Claim("held2", LeaseOf(1, 600)));
  const auto ended = *store_->ExpiredLeases(At(700), 10);
  ASSERT_EQ(ended.size(), 2u);
  EXPECT_EQ(ended[0].id, "held2");
  EXPECT_EQ(ended[1].id, "held");
  EXPECT_EQ(ended[1].lease, LeaseOf(1, 700));
  EXPECT_EQ(store_->ExpiredLeases(At(700), 1)->size(), 1u);
}

TEST_P(PlaneTablesTest, WithinUndoesWhatWasRefused) {
  Enqueue("run_1");
  const auto add = [](const char* name) { return PrincipalOf(name); };
  ASSERT_TRUE(Do([&](Transaction& t) -> Result<> {
    EXPECT_TRUE(t.AddPrincipal(add("before")));
    EXPECT_TRUE(t.Within([&]() -> Result<bool> {
      EXPECT_TRUE(t.AddPrincipal(add("kept")));
      return true;
    }));
    EXPECT_TRUE(t.Within([&]() -> Result<bool> {
      EXPECT_TRUE(t.Claim("run_1", LeaseOf(1, 5000), At(1)));
      EXPECT_TRUE(t.AddPrincipal(add("refused")));
      EXPECT_TRUE(t.SpendNonce("n", At(5)));
      EXPECT_EQ(StatusOf("run_1"), RunStatus::kClaimed) << "reads see the open transaction";
      return false;
    }));
    const auto failed = t.Within([&]() -> Result<bool> {
      WRIT_TRY("add", t.AddPrincipal(add("failed")));
      return Fail(Code::kDenied, "no");
    });
    EXPECT_EQ(failed.error().code, Code::kDenied);
    const auto taken = t.Within([&]() -> Result<bool> {
      WRIT_TRY("add", t.AddPrincipal(add("other")));
      WRIT_TRY("add", t.AddPrincipal(add("kept")));
      return true;
    });
    EXPECT_EQ(taken.error().code, Code::kInvalid);
    return t.AddPrincipal(add("after"));
  }));
  std::vector<std::string> names;
  const auto rows = *store_->Principals();
  for (const Principal& principal : rows) names.push_back(principal.name);
  EXPECT_THAT(names, ElementsAre("before", "kept", "after"));
  EXPECT_EQ(StatusOf("run_1"), RunStatus::kCreated);
  EXPECT_THAT(Waiting(), ElementsAre("run_1"));
  ASSERT_TRUE(Do([](Transaction& t) -> Result<> {
    const bool first = WRIT_TRY("spend", t.SpendNonce("n", At(5)));
    EXPECT_TRUE(first);
    return {};
  }));
}

TEST_P(PlaneTablesTest, WithinCanBeNested) {
  ASSERT_TRUE(Do([&](Transaction& t) -> Result<> {
    const auto add = [&](const char* name) { return t.AddPrincipal(PrincipalOf(name)); };
    EXPECT_TRUE(t.Within([&]() -> Result<bool> {
      EXPECT_TRUE(add("outer"));
      EXPECT_TRUE(t.Within([&]() -> Result<bool> {
        EXPECT_TRUE(add("undone"));
        return false;
      }));
      EXPECT_TRUE(t.Within([&]() -> Result<bool> {
        EXPECT_TRUE(add("inner"));
        return true;
      }));
      return true;
    }));
    return t.Within([&]() -> Result<bool> {
      EXPECT_TRUE(add("lost"));
      EXPECT_TRUE(t.Within([&]() -> Result<bool> {
        EXPECT_TRUE(add("lost too"));
        return true;
      }));
      return false;
    });
  }));
  std::vector<std::string> names;
  const auto rows = *store_->Principals();
  for (const Principal& principal : rows) names.push_back(principal.name);
  EXPECT_THAT(names, ElementsAre("outer", "inner"));
}

TEST_P(PlaneTablesTest, BatchesOfEventsAreStoredWholeOrNotAtAll) {
  CreateContractedRun("run_1");
  std::vector<std::string> hashes = {Hash("run_1")}, texts;
  for (int i = 0; i < 6; ++i) {
    hashes.push_back(Hash(hashes.back()));
    texts.push_back(fmt::format("event {}", i));
  }
  const auto event = [&](std::size_t seq) {
    return NewEvent{.seq = seq, .prev = hashes[seq], .hash = hashes[seq + 1], .text = texts[seq]};
  };
  const auto append = [&](std::vector<NewEvent> events) {
    return Do([&](Transaction& t) { return t.AppendEvents("run_1", events); });
  };
  ASSERT_TRUE(append({}));
  ASSERT_TRUE(append({event(0), event(1)}));
  EXPECT_EQ(append({event(2), event(4)}).error().code, Code::kInvalid) << "a gap";
  EXPECT_EQ(append({event(2), event(2)}).error().code, Code::kInvalid) << "twice";
  EXPECT_EQ(append({event(1), event(2)}).error().code, Code::kInvalid) << "begins too early";
  NewEvent fork = event(3);
  fork.prev = hashes[0];
  EXPECT_EQ(append({event(2), fork}).error().code, Code::kInvalid) << "a fork";
  NewEvent unhashed = event(3);
  unhashed.hash = "short";
  EXPECT_EQ(append({event(2), unhashed}).error().code, Code::kInvalid);
  EXPECT_EQ(*store_->Events("run_1"), (std::vector<std::string>{"event 0", "event 1"}));
  ASSERT_TRUE(Do([&](Transaction& t) -> Result<> {
    const std::vector<NewEvent> bad = {event(2), event(4)}, good = {event(2), event(3)};
    EXPECT_FALSE(t.AppendEvents("run_1", bad));
    WRIT_TRY("append", t.AppendEvents("run_1", good));
    return t.AppendEvent("run_1", event(4));
  }));
  EXPECT_EQ(store_->Events("run_1")->size(), 5u);
  EXPECT_EQ(store_->GetRun("run_1")->head, hashes[5]);
  EXPECT_EQ(Refused([&](Transaction& t) { return t.AppendEvents("none", {}); }), Code::kNotFound);
  Do([&](Transaction& t) {
    const std::vector<NewEvent> last = {event(5)};
    EXPECT_TRUE(t.AppendEvents("run_1", last));
    return Result<>(Fail(Code::kDenied, "undo"));
  }).error();
  EXPECT_EQ(store_->GetRun("run_1")->head, hashes[5]);
  EXPECT_EQ(store_->GetRun("run_1")->event_count, 5u);
}

TEST_P(PlaneTablesTest, DocumentsBelongToTheirRun) {
  CreateContractedRun("run_1");
  EXPECT_EQ(*store_->GetDocument("run_1", "request"), std::nullopt);
  EXPECT_EQ(*store_->GetDocument("run_1", "contract"), "contract of run_1");
  EXPECT_EQ(store_->GetDocument("none", "request").error().code, Code::kNotFound);
  const std::string text("{\"a\" : 1}\0\xFF", 11);
  ASSERT_TRUE(Do([&](Transaction& t) { return t.PutDocument("run_1", "request", "old"); }));
  ASSERT_TRUE(Do([&](Transaction& t) { return t.PutDocument("run_1", "request", text); }));
  ASSERT_TRUE(Do([&](Transaction& t) { return t.PutDocument("run_1", "refusal", ""); }));
  EXPECT_EQ(*store_->GetDocument("run_1", "request"), text);
  EXPECT_EQ(*store_->GetDocument("run_1", "refusal"), "");
  for (const char* kind : {"contract", "receipt", "", "A", "a b", "a\n"}) {
    EXPECT_EQ(Refused([&](Transaction& t) { return t.PutDocument("run_1", kind, "x"); }), Code::kInvalid) << kind;
  }
  EXPECT_EQ(Refused([](Transaction& t) { return t.PutDocument("none", "request", "x"); }), Code::kNotFound);
  ASSERT_TRUE(Do([](Transaction& t) { return t.DeleteRun("run_1"); }));
  CreateRun("run_1");
  EXPECT_EQ(*store_->GetDocument("run_1", "request"), std::nullopt) << "gone with the run";
}

TEST_P(PlaneTablesTest, ADeletedRunLeavesNothingBehind) {
  Enqueue("run_1");
  ASSERT_TRUE(Claim("run_1", LeaseOf(1, 5000)));
  ASSERT_TRUE(Do([](Transaction& t) { return t.AddApproval("run_1", ApprovalOf("a")); }));
  ASSERT_TRUE(Do([](Transaction& t) { return t.DeleteRun("run_1"); }));
  EXPECT_EQ(*store_->NextLeaseEnd(), std::nullopt);
  CreateContractedRun("run_1");
  EXPECT_THAT(*store_->Approvals("run_1"), IsEmpty());
  EXPECT_EQ(*store_->GetLease("run_1"), std::nullopt);
  ASSERT_TRUE(Do([](Transaction& t) { return t.Enqueue("run_1", {.pool = "p", .expires = At(1)}); }));
}

TEST_P(PlaneTablesTest, PrincipalsHaveOneNameAndOneToken) {
  ASSERT_TRUE(Do([](Transaction& t) { return t.AddPrincipal(PrincipalOf("zoe")); }));
  ASSERT_TRUE(Do([](Transaction& t) { return t.AddPrincipal(PrincipalOf("adam")); }));
  EXPECT_THAT(*store_->Principals(), ElementsAre(PrincipalOf("zoe"), PrincipalOf("adam")));
  EXPECT_EQ(*store_->FindPrincipal("zoe"), PrincipalOf("zoe"));
  EXPECT_EQ(*store_->FindPrincipal("none"), std::nullopt);
  EXPECT_EQ(*store_->FindPrincipalByToken(Hash("zoe")), PrincipalOf("zoe"));
  EXPECT_EQ(*store_->FindPrincipalByToken(Hash("x")), std::nullopt);
  EXPECT_EQ(*store_->FindPrincipalByToken(""), std::nullopt);

  Principal same_name = PrincipalOf("zoe"), same_token = PrincipalOf("eve"), same_id = PrincipalOf("eve");
  same_name.id = "prn_other";
  same_name.token_hash = Hash("other");
  same_token.token_hash = Hash("zoe");
  same_id.id = "prn_zoe";
  const auto refused = Do([&](Transaction& t) { return t.AddPrincipal(same_name); });
  EXPECT_EQ(refused.error().code, Code::kInvalid);
  EXPECT_THAT(refused.error().what, testing::HasSubstr("principal \"zoe\" already exists"));
  EXPECT_EQ(Refused([&](Transaction& t) { return t.AddPrincipal(same_token); }), Code::kInvalid);
  EXPECT_EQ(Refused([&](Transaction& t) { return t.AddPrincipal(same_id); }), Code::kInvalid);
  Principal plain = PrincipalOf("eve");
  plain.token_hash = "secret token";
  EXPECT_EQ(Refused([&](Transaction& t) { return t.AddPrincipal(plain); }), Code::kInvalid) << "only hashes";
  EXPECT_EQ(Refused([&](Transaction& t) { return t.AddPrincipal(PrincipalOf("")); }), Code::kInvalid);
  EXPECT_EQ(store_->Principals()->size(), 2u);
}

TEST_P(PlaneTablesTest, RevokedAndReplacedTokensEnd) {
  ASSERT_TRUE(Do([](Transaction& t) { return t.AddPrincipal(PrincipalOf("zoe")); }));
  ASSERT_TRUE(Do([](Transaction& t) { return t.AddPrincipal(PrincipalOf("adam")); }));
  EXPECT_EQ(Refused([](Transaction& t) { return t.RevokePrincipal("none"); }), Code::kNotFound);
  ASSERT_TRUE(Do([](Transaction& t) { return t.RevokePrincipal("zoe"); }));
  ASSERT_TRUE(Do([](Transaction& t) { return t.RevokePrincipal("zoe"); }));
  EXPECT_EQ(*store_->FindPrincipalByToken(Hash("zoe")), std::nullopt);
  EXPECT_TRUE((*store_->FindPrincipal("zoe"))->revoked);
  EXPECT_EQ(Refused([](Transaction& t) { return t.AddPrincipal(PrincipalOf("zoe")); }), Code::kInvalid);

  const auto replace = [&](const std::string& name, const std::string& hash) {
    return Refused([&](Transaction& t) { return t.ReplacePrincipalToken(name, hash); });
  };
  EXPECT_EQ(replace("none", Hash("new")), Code::kNotFound);
  EXPECT_EQ(replace("zoe", Hash("adam")), Code::kInvalid) << "taken";
  EXPECT_EQ(replace("zoe", "new"), Code::kInvalid);
  ASSERT_TRUE(Do([](Transaction& t) { return t.ReplacePrincipalToken("zoe", Hash("new")); }));
  EXPECT_EQ(*store_->FindPrincipalByToken(Hash("zoe")), std::nullopt);
  EXPECT_EQ((*store_->FindPrincipalByToken(Hash("new")))->name, "zoe");
  ASSERT_TRUE(Do([](Transaction& t) { return t.ReplacePrincipalToken("zoe", Hash("new")); })) << "the same again";
}

TEST_P(PlaneTablesTest, EnrolTokensWorkOnceAndInTime) {
  const auto consume = [&](const std::string& hash, std::int64_t now) {
    bool consumed = false;
    EXPECT_TRUE(Do([&](Transaction& t) -> Result<> {
      consumed = WRIT_TRY("consume", t.ConsumeEnrollToken(hash, At(now)));
      return {};
    }));
    return consumed;
  };
  ASSERT_TRUE(Do([](Transaction& t) { return t.AddEnrollToken(Hash("a"), At(100)); }));
  EXPECT_EQ(Refused([](Transaction& t) { return t.AddEnrollToken(Hash("a"), At(200)); }), Code::kInvalid);
  EXPECT_EQ(Refused([](Transaction& t) { return t.AddEnrollToken("a", At(200)); }), Code::kInvalid);
  EXPECT_FALSE(consume(Hash("none"), 1));
  EXPECT_FALSE(consume(Hash("a"), 100)) << "expired";
  EXPECT_TRUE(consume(Hash("a"), 99));
  EXPECT_FALSE(consume(Hash("a"), 99));
  ASSERT_TRUE(Do([](Transaction& t) { return t.AddEnrollToken(Hash("b"), At(100)); }));
  {
    auto undone = *store_->Begin();
    EXPECT_TRUE(*undone->ConsumeEnrollToken(Hash("b"), At(1)));
  }
  EXPECT_TRUE(consume(Hash("b"), 1)) << "the first use was undone";
}

TEST_P(PlaneTablesTest, RunnersAreFoundByIdAndToken) {
  Runner labelled = RunnerOf("rnr_2");
  labelled.labels = "{\"gpu\":\"no\"}";
  ASSERT_TRUE(Do([](Transaction& t) { return t.AddRunner(RunnerOf("rnr_9")); }));
  ASSERT_TRUE(Do([&](Transaction& t) { return t.AddRunner(labelled); }));
  EXPECT_THAT(*store_->Runners(), ElementsAre(RunnerOf("rnr_9"), labelled));
  EXPECT_EQ(*store_->FindRunner("rnr_2"), labelled);
  EXPECT_EQ(*store_->FindRunner("none"), std::nullopt);
  EXPECT_EQ(*store_->FindRunnerByToken(Hash("rnr_9")), RunnerOf("rnr_9"));
  EXPECT_EQ(*store_->FindRunnerByToken(Hash("none")), std::nullopt);
  Runner same_token = RunnerOf("rnr_3"), plain = RunnerOf("rnr_4"), nowhere = RunnerOf("rnr_5");
  same_token.token_hash = Hash("rnr_9");
  plain.token_hash = "token";
  nowhere.pool = "";
  for (const Runner& bad : {RunnerOf("rnr_9"), same_token, plain, nowhere}) {
    EXPECT_EQ(Refused([&](Transaction& t) { return t.AddRunner(bad); }), Code::kInvalid) << bad.id;
  }
  EXPECT_EQ(store_->Runners()->size(), 2u);
}

TEST_P(PlaneTablesTest, NoncesAreSpentOnceUntilTheyAreForgotten) {
  const auto spend = [&](const std::string& nonce, std::int64_t expires) {
    bool fresh = false;
    const auto done = Do([&](Transaction& t) -> Result<> {
      fresh = WRIT_TRY("spend", t.SpendNonce(nonce, At(expires)));
      return {};
    });
    EXPECT_TRUE(done);
    return fresh;
  };
  EXPECT_TRUE(spend("a", 100));
  EXPECT_FALSE(spend("a", 500));
  EXPECT_TRUE(spend("b", 200));
  EXPECT_EQ(Refused([](Transaction& t) -> Result<> {
              WRIT_TRY("spend", t.SpendNonce("", At(1)));
              return {};
            }),
            Code::kInvalid);
  ASSERT_TRUE(Do([](Transaction& t) { return t.AddEnrollToken(Hash("t"), At(100)); }));
  ASSERT_TRUE(Do([](Transaction& t) { return t.PutIdempotent("s", "k", {Hash("b"), "answer", At(100)}); }));
  ASSERT_TRUE(Do([](Transaction& t) { return t.ForgetExpired(At(99)); }));
  EXPECT_FALSE(spend("a", 100));
  EXPECT_TRUE(store_->GetIdempotent("s", "k")->has_value());
  ASSERT_TRUE(Do([](Transaction& t) { return t.ForgetExpired(At(100)); }));
  EXPECT_TRUE(spend("a", 100));
  EXPECT_FALSE(spend("b", 200));
  EXPECT_FALSE(store_->GetIdempotent("s", "k")->has_value());
  EXPECT_TRUE(Do([](Transaction& t) { return t.AddEnrollToken(Hash("t"), At(100)); })) << "it was forgotten";
}

TEST_P(PlaneTablesTest, ApprovalsAreKeptInOrder) {
  CreateRun("run_1");
  EXPECT_THAT(*store_->Approvals("run_1"), IsEmpty());
  EXPECT_EQ(store_->Approvals("none").error().code, Code::kNotFound);
  ASSERT_TRUE(Do([](Transaction& t) { return t.AddApproval("run_1", ApprovalOf("zoe")); }));
  ASSERT_TRUE(Do([](Transaction& t) { return t.AddApproval("run_1", ApprovalOf("adam", "deny")); }));
  ASSERT_TRUE(Do([](Transaction& t) { return t.AddApproval("run_1", ApprovalOf("zoe")); }));
  EXPECT_THAT(*store_->Approvals("run_1"),
              ElementsAre(ApprovalOf("zoe"), ApprovalOf("adam", "deny"), ApprovalOf("zoe")));
  Approval undigested = ApprovalOf("eve");
  undigested.digest = "";
  for (const Approval& bad : {ApprovalOf("eve", "maybe"), ApprovalOf(""), undigested}) {
    EXPECT_EQ(Refused([&](Transaction& t) { return t.AddApproval("run_1", bad); }), Code::kInvalid);
  }
  EXPECT_EQ(Refused([](Transaction& t) { return t.AddApproval("none", ApprovalOf("eve")); }), Code::kNotFound);
}

TEST_P(PlaneTablesTest, IdempotentAnswersAreKeptByScopeAndKey) {
  const Idempotent first{Hash("body"), "{\"runId\":\"1\"}", At(100)}, second{Hash("other"), "", At(200)};
  ASSERT_TRUE(Do([&](Transaction& t) { return t.PutIdempotent("zoe", "key", first); }));
  ASSERT_TRUE(Do([&](Transaction& t) { return t.PutIdempotent("adam", "key", second); }));
  EXPECT_EQ(*store_->GetIdempotent("zoe", "key"), first);
  EXPECT_EQ(*store_->GetIdempotent("adam", "key"), second);
  EXPECT_EQ(*store_->GetIdempotent("zoe", "other"), std::nullopt);
  ASSERT_TRUE(Do([&](Transaction& t) { return t.PutIdempotent("zoe", "key", second); }));
  EXPECT_EQ(*store_->GetIdempotent("zoe", "key"), second);
  EXPECT_EQ(Refused([&](Transaction& t) { return t.PutIdempotent("zoe", "", first); }), Code::kInvalid);
  EXPECT_EQ(Refused([](Transaction& t) { return t.PutIdempotent("zoe", "k", {"b", "", At(1)}); }), Code::kInvalid);
}

TEST_P(PlaneTablesTest, RunsByStatusAndTheOnesToRetire) {
  for (const char* id : {"a", "b", "c", "d"}) CreateContractedRun(id);
  Finish("a", At(300));
  Finish("c", At(100));
  Finish("d", At(300));
  const auto with = [&](RunStatus status, std::size_t limit = 10, std::optional<std::uint64_t> before = {}) {
    std::vector<std::string> ids;
    const auto rows = *store_->RunsWithStatus(status, limit, before);
    for (const auto& run : rows) {
      ids.push_back(run.id);
      EXPECT_FALSE(run.contract);
    }
    return ids;
  };
  EXPECT_THAT(with(RunStatus::kCompleted), ElementsAre("d", "c", "a"));
  EXPECT_THAT(with(RunStatus::kCompleted, 1), ElementsAre("d"));
  EXPECT_THAT(with(RunStatus::kCompleted, 10, store_->GetRun("d")->number), ElementsAre("c", "a"));
  EXPECT_THAT(with(RunStatus::kCreated), ElementsAre("b"));
  EXPECT_THAT(with(RunStatus::kFailed), IsEmpty());
  EXPECT_EQ(*store_->Retirable(At(301), 10), (std::vector<std::string>{"c", "a", "d"}));
  EXPECT_EQ(*store_->Retirable(At(300), 10), (std::vector<std::string>{"c"}));
  EXPECT_EQ(*store_->Retirable(At(301), 2), (std::vector<std::string>{"c", "a"}));
  EXPECT_THAT(*store_->Retirable(At(100), 10), IsEmpty());
}

class EventsAfterTest : public PlaneTablesTest {
 protected:
  /// A run with events whose `ts` are these.
  void MakeRun(const std::string& id, const std::vector<std::string>& times) {
    CreateContractedRun(id);
    std::string head = Hash(id);
    for (std::size_t seq = 0; seq < times.size(); ++seq) {
      const std::string hash = Hash(head), text = fmt::format(R"({{"seq":{},"ts":"{}"}})", seq, times[seq]);
      ASSERT_TRUE(Do([&](Transaction& t) {
        return t.AppendEvent(id, {.seq = seq, .prev = head, .hash = hash, .text = text});
      }));
      head = hash;
    }
  }
  /// All pages, as "id/seq".
  std::vector<std::string> All(const std::string& since, std::size_t limit) {
    std::vector<std::string> found;
    std::optional<EventCursor> next = EventCursor{};
    while (next) {
      const auto page = store_->EventsAfter(since, *next, limit);
      if (!page) {
        ADD_FAILURE() << page.error().what;
        break;
      }
      EXPECT_LE(page->events.size(), limit);
      for (const StoredEvent& event : page->events) {
        found.push_back(fmt::format("{}/{}", event.run_id, event.seq));
        EXPECT_THAT(event.text, testing::StartsWith(fmt::format(R"({{"seq":{},)", event.seq)));
      }
      next = page->next;
    }
    return found;
  }
};

INSTANTIATE_TEST_SUITE_P(Stores, EventsAfterTest, testing::Values("memory", "sqlite"),
                         [](const auto& param) { return std::string(param.param); });

TEST_P(EventsAfterTest, AreInTheOrderOfIdsAndNotOfTime) {
  MakeRun("b", {"2026-01-01", "2026-01-03"});
  MakeRun("Z", {"2026-01-02", "2026-01-01", "2026-01-04"});  // a clock that was set back
  MakeRun("a", {"2026-01-02"});
  CreateRun("empty");
  for (const std::size_t limit : {1u, 2u, 3u, 100u}) {
    EXPECT_THAT(All("", limit), ElementsAre("Z/0", "Z/1", "Z/2", "a/0", "b/0", "b/1")) << limit;
    EXPECT_THAT(All("2026-01-02", limit), ElementsAre("Z/0", "Z/2", "a/0", "b/1")) << limit;
    EXPECT_THAT(All("2026-01-03", limit), ElementsAre("Z/2", "b/1")) << limit;
    EXPECT_THAT(All("2026-01-05", limit), IsEmpty());
  }
  EXPECT_EQ(store_->EventsAfter("", {"a", 0}, 1)->events.front().run_id, "a");
  EXPECT_EQ(store_->EventsAfter("", {"aa", 7}, 1)->events.front().run_id, "b") << "the cursor's run is gone";
  EXPECT_EQ(store_->EventsAfter("", {"zz", 0}, 1)->next, std::nullopt);
  EXPECT_TRUE(store_->EventsAfter("", {}, 0)->next.has_value()) << "nothing was looked at";
}

TEST_P(EventsAfterTest, OnePageLooksAtABoundedNumber) {
  std::vector<std::string> times(3000, "2026-01-01");
  times.push_back("2026-01-09");
  times.push_back("2026-01-01");
  CreateContractedRun("run_1");
  std::vector<std::string> hashes = {Hash("run_1")}, texts;
  std::vector<NewEvent> events;
  for (std::size_t seq = 0; seq < times.size(); ++seq) {
    hashes.push_back(Hash(hashes.back()));
    texts.push_back(fmt::format(R"({{"seq":{},"ts":"{}"}})", seq, times[seq]));
  }
  for (std::size_t seq = 0; seq < times.size(); ++seq) {
    events.push_back({.seq = seq, .prev = hashes[seq], .hash = hashes[seq + 1], .text = texts[seq]});
  }
  ASSERT_TRUE(Do([&](Transaction& t) { return t.AppendEvents("run_1", events); }));
  const auto first = store_->EventsAfter("2026-01-02", {}, 1);
  ASSERT_TRUE(first);
  EXPECT_THAT(first->events, IsEmpty());
  ASSERT_TRUE(first->next);
  EXPECT_LT(first->next->seq, 3000u);
  EXPECT_THAT(All("2026-01-02", 1), ElementsAre("run_1/3000"));
}

}  // namespace
}  // namespace writ::storage
