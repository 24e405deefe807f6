#include <gmock/gmock.h>

#include "storage/conformance/plane_fixture_for_test.h"

namespace writ::storage {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

INSTANTIATE_TEST_SUITE_P(Stores, PlaneTablesTest, testing::Values("memory", "sqlite"),
                         [](const auto& param) { return std::string(param.param); });

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

}  // namespace
}  // namespace writ::storage
