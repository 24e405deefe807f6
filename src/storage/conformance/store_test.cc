#include "storage/store.h"

#include <gmock/gmock.h>

#include "storage/conformance/store_fixture_for_test.h"

namespace writ::storage {
namespace {

INSTANTIATE_TEST_SUITE_P(Stores, StoreTest, testing::Values("memory", "sqlite"),
                         [](const auto& param) { return std::string(param.param); });

TEST_P(StoreTest, KeepsTextsByteForByte) {
  const std::string contract("{ \"a\" :1.0,\n \"b\":\"\x01\xFF\0z\", \"a\":2}", 27);
  const std::string event = " {\"seq\":0}\t";
  const std::string receipt = "receipt\r\n";
  CreateRun("run_1");
  ASSERT_TRUE(Do([&](Transaction& t) { return t.SetContract("run_1", contract, Hash("c")); }));
  ASSERT_TRUE(Do([&](Transaction& t) {
    return t.AppendEvent("run_1", {.seq = 0, .prev = Hash("c"), .hash = Hash("e"), .text = event});
  }));
  ASSERT_TRUE(Do([&](Transaction& t) { return t.SetSummary("run_1", "{\"x\": 1}"); }));
  ASSERT_TRUE(
      Do([&](Transaction& t) { return t.SetReceipt("run_1", receipt, Hash("e"), RunStatus::kFailed, At(2000)); }));
  const auto run = store_->GetRun("run_1");
  ASSERT_TRUE(run) << run.error().what;
  EXPECT_EQ(run->contract, contract);
  EXPECT_EQ(run->receipt, receipt);
  EXPECT_EQ(run->summary, "{\"x\": 1}");
  EXPECT_EQ(run->status, RunStatus::kFailed);
  EXPECT_EQ(run->created, At(1000));
  EXPECT_EQ(run->updated, At(2000));
  EXPECT_EQ(run->head, Hash("e"));
  EXPECT_EQ(run->event_count, 1u);
  EXPECT_EQ(*store_->Events("run_1"), std::vector<std::string>{event});
}

TEST_P(StoreTest, WithoutCommitNothingHappened) {
  CreateContractedRun("run_1");
  ASSERT_TRUE(Do([&](Transaction& t) { return t.PutValue("k", "old"); }));
  {
    auto transaction = *store_->Begin();
    ASSERT_TRUE(transaction->CreateRun({.id = "run_2"}));
    ASSERT_TRUE(transaction->AppendEvent("run_1", {.seq = 0, .prev = Hash("run_1"), .hash = Hash("a"), .text = "a"}));
    ASSERT_TRUE(transaction->AppendEvent("run_1", {.seq = 1, .prev = Hash("a"), .hash = Hash("b"), .text = "b"}));
    ASSERT_TRUE(transaction->AddArtifact("run_1", {.kind = "log", .name = "", .hash = Hash("x"), .bytes = 1}));
    ASSERT_TRUE(transaction->SetStatus("run_1", RunStatus::kRunning, At(5)));
    ASSERT_TRUE(transaction->SetReceipt("run_1", "r", Hash("b"), RunStatus::kCompleted, At(6)));
    ASSERT_TRUE(transaction->DeleteRun("run_1"));
    ASSERT_TRUE(transaction->AppendDecision(Hash("g"), {.digest = Hash("d")}));
    ASSERT_TRUE(transaction->PutValue("k", "new"));
    ASSERT_TRUE(transaction->PutValue("l", "new"));
  }
  EXPECT_EQ(store_->GetRun("run_2").error().code, Code::kNotFound);
  const auto run = store_->GetRun("run_1");
  ASSERT_TRUE(run) << run.error().what;
  EXPECT_EQ(run->head, Hash("run_1"));
  EXPECT_EQ(run->event_count, 0u);
  EXPECT_EQ(run->status, RunStatus::kCreated);
  EXPECT_FALSE(run->receipt);
  EXPECT_TRUE(store_->Events("run_1")->empty());
  EXPECT_TRUE(store_->Artifacts("run_1")->empty());
  EXPECT_EQ(store_->GetDecisionHead(Hash("g"))->count, 0u);
  EXPECT_EQ(*store_->GetValue("k"), "old");
  EXPECT_EQ(*store_->GetValue("l"), std::nullopt);
}

TEST_P(StoreTest, OneTransactionAtATime) {
  auto first = store_->Begin();
  ASSERT_TRUE(first);
  EXPECT_EQ(store_->Begin().error().code, Code::kInternal);
  first->reset();
  EXPECT_TRUE(store_->Begin());
}

TEST_P(StoreTest, EventsMustContinueTheChain) {
  CreateRun("run_1");
  const auto append = [&](std::uint64_t seq, std::string_view prev, std::string_view hash) {
    return Do(
        [&](Transaction& t) { return t.AppendEvent("run_1", {.seq = seq, .prev = prev, .hash = hash, .text = "e"}); });
  };
  EXPECT_EQ(append(0, Hash("c"), Hash("0")).error().code, Code::kInvalid) << "no contract";
  ASSERT_TRUE(Do([&](Transaction& t) { return t.SetContract("run_1", "c", Hash("c")); }));
  EXPECT_EQ(append(1, Hash("c"), Hash("0")).error().code, Code::kInvalid) << "a gap";
  EXPECT_EQ(append(0, Hash("x"), Hash("0")).error().code, Code::kInvalid) << "another head";
  EXPECT_EQ(append(0, Hash("c"), "short").error().code, Code::kInvalid) << "no hash";
  ASSERT_TRUE(append(0, Hash("c"), Hash("0")));
  EXPECT_EQ(append(0, Hash("c"), Hash("0")).error().code, Code::kInvalid) << "again";
  EXPECT_EQ(append(1, Hash("c"), Hash("1")).error().code, Code::kInvalid) << "a fork";
  ASSERT_TRUE(append(1, Hash("0"), Hash("1")));
  EXPECT_EQ(store_->GetRun("run_1")->event_count, 2u);
  ASSERT_TRUE(Do([&](Transaction& t) { return t.SetReceipt("run_1", "r", Hash("1"), RunStatus::kCompleted, At(1)); }));
  EXPECT_EQ(append(2, Hash("1"), Hash("2")).error().code, Code::kInvalid) << "after the receipt";
  EXPECT_EQ(store_->Events("run_1")->size(), 2u);
}

TEST_P(StoreTest, ARefusedCallLeavesTheRestOfTheTransactionUsable) {
  CreateContractedRun("run_1");
  auto transaction = *store_->Begin();
  EXPECT_FALSE(transaction->CreateRun({.id = "run_1"}));
  EXPECT_FALSE(transaction->AppendEvent("run_1", {.seq = 7, .prev = Hash("run_1"), .hash = Hash("a"), .text = "a"}));
  EXPECT_FALSE(transaction->SetStatus("none", RunStatus::kRunning, At(1)));
  ASSERT_TRUE(transaction->AppendEvent("run_1", {.seq = 0, .prev = Hash("run_1"), .hash = Hash("a"), .text = "a"}));
  ASSERT_TRUE(transaction->Commit(Durability::kDurable));
  transaction.reset();
  EXPECT_EQ(store_->GetRun("run_1")->head, Hash("a"));
}

TEST_P(StoreTest, ContractAndReceiptAreWrittenOnce) {
  CreateRun("run_1");
  const auto receipt = [&](std::string_view head, RunStatus status) {
    return Do([&](Transaction& t) { return t.SetReceipt("run_1", "r", head, status, At(1)); });
  };
  EXPECT_EQ(receipt(Hash("c"), RunStatus::kCompleted).error().code, Code::kInvalid) << "no contract";
  EXPECT_EQ(Do([&](Transaction& t) { return t.SetContract("run_1", "c", "abc"); }).error().code, Code::kInvalid);
  ASSERT_TRUE(Do([&](Transaction& t) { return t.SetContract("run_1", "c", Hash("c")); }));
  EXPECT_EQ(Do([&](Transaction& t) { return t.SetContract("run_1", "d", Hash("d")); }).error().code, Code::kInvalid);
  EXPECT_EQ(receipt(Hash("x"), RunStatus::kCompleted).error().code, Code::kInvalid) << "another head";
  EXPECT_EQ(receipt(Hash("c"), RunStatus::kRunning).error().code, Code::kInvalid) << "not an end";
  ASSERT_TRUE(receipt(Hash("c"), RunStatus::kCancelled));
  EXPECT_EQ(receipt(Hash("c"), RunStatus::kCompleted).error().code, Code::kInvalid) << "a second one";
  EXPECT_EQ(Do([&](Transaction& t) { return t.SetStatus("run_1", RunStatus::kRunning, At(1)); }).error().code,
            Code::kInvalid);
  EXPECT_EQ(store_->GetRun("run_1")->status, RunStatus::kCancelled);
  EXPECT_EQ(store_->GetRun("run_1")->contract, "c");
}

TEST_P(StoreTest, NewRunsHaveGoodIdsAndAreNotOver) {
  for (const char* id : {"", "a b", "a/b", "../x", "run_1\n", "r\xC3\xA9", "a.b"}) {
    EXPECT_EQ(Do([&](Transaction& t) { return t.CreateRun({.id = id}); }).error().code, Code::kInvalid) << id;
  }
  EXPECT_FALSE(Do([&](Transaction& t) { return t.CreateRun({.id = std::string(129, 'a')}); }));
  EXPECT_TRUE(Do([&](Transaction& t) { return t.CreateRun({.id = std::string(128, 'a')}); }));
  EXPECT_FALSE(Do([&](Transaction& t) { return t.CreateRun({.id = "x", .status = RunStatus::kCompleted}); }));
  EXPECT_TRUE(Do([&](Transaction& t) { return t.CreateRun({.id = "x", .status = RunStatus::kAwaitingApproval}); }));
  EXPECT_FALSE(Do([&](Transaction& t) { return t.CreateRun({.id = "x"}); }));
}

TEST_P(StoreTest, UnknownRunsAreNotFound) {
  const auto code = [](const auto& result) { return result ? Code::kInternal : result.error().code; };
  EXPECT_EQ(code(store_->GetRun("none")), Code::kNotFound);
  EXPECT_EQ(code(store_->Events("none")), Code::kNotFound);
  EXPECT_EQ(code(store_->Artifacts("none")), Code::kNotFound);
  EXPECT_EQ(code(store_->ResolveRun("none")), Code::kNotFound);
  EXPECT_EQ(code(store_->ResolveRun("")), Code::kNotFound);
  EXPECT_EQ(code(store_->ResolveRun("%")), Code::kNotFound);
  EXPECT_EQ(code(store_->ResolveRun("no\x1bne")), Code::kNotFound);
  EXPECT_EQ(store_->ResolveRun("\x1b[2J").error().what.find('\x1b'), std::string::npos);
  auto t = *store_->Begin();
  EXPECT_EQ(code(t->SetContract("none", "c", Hash("c"))), Code::kNotFound);
  EXPECT_EQ(code(t->AppendEvent("none", {.seq = 0, .prev = Hash("c"), .hash = Hash("c"), .text = ""})),
            Code::kNotFound);
  EXPECT_EQ(code(t->SetReceipt("none", "r", Hash("c"), RunStatus::kFailed, At(1))), Code::kNotFound);
  EXPECT_EQ(code(t->SetStatus("none", RunStatus::kRunning, At(1))), Code::kNotFound);
  EXPECT_EQ(code(t->SetSummary("none", "{}")), Code::kNotFound);
  EXPECT_EQ(code(t->AddArtifact("none", {.kind = "log", .name = "", .hash = Hash("c"), .bytes = 0})), Code::kNotFound);
  EXPECT_EQ(code(t->DeleteRun("none")), Code::kNotFound);
}

TEST_P(StoreTest, ShortenedIdsResolve) {
  for (const char* id : {"run_abc1", "run_abc2", "run_b", "run_bb", "abc", "other"}) CreateRun(id);
  EXPECT_EQ(*store_->ResolveRun("run_abc1"), "run_abc1");
  EXPECT_EQ(*store_->ResolveRun("abc1"), "run_abc1");
  EXPECT_EQ(*store_->ResolveRun("o"), "other");
  EXPECT_EQ(*store_->ResolveRun("abc"), "abc") << "an exact id wins";
  EXPECT_EQ(*store_->ResolveRun("b"), "run_b") << "an exact id without run_ wins";
  EXPECT_EQ(*store_->ResolveRun("bb"), "run_bb");
  const auto ambiguous = store_->ResolveRun("run_abc");
  ASSERT_FALSE(ambiguous);
  EXPECT_EQ(ambiguous.error().code, Code::kInvalid);
  EXPECT_EQ(ambiguous.error().what, "run_abc could be run_abc1, run_abc2; give more of the id");
  EXPECT_EQ(store_->ResolveRun("ab").error().what, "ab could be abc, run_abc1, run_abc2; give more of the id");
  for (int i = 0; i < 20; ++i) CreateRun(fmt::format("run_many{:02}", i));
  EXPECT_THAT(store_->ResolveRun("many").error().what, testing::HasSubstr("run_many07 and others;"));
}

TEST_P(StoreTest, ListsNewestFirstWhateverTheClockDoes) {
  CreateRun("a", At(5000));
  CreateRun("b", At(1000));  // the clock was set back
  CreateContractedRun("c", At(3000));
  const auto ids = [](const Result<std::vector<storage::Run>>& runs) {
    std::vector<std::string> list;
    for (const storage::Run& run : *runs) list.push_back(run.id);
    return list;
  };
  EXPECT_EQ(ids(store_->ListRuns(10)), (std::vector<std::string>{"c", "b", "a"}));
  const auto first = store_->ListRuns(2);
  EXPECT_EQ(ids(first), (std::vector<std::string>{"c", "b"}));
  EXPECT_FALSE(first->front().contract) << "lists are light";
  EXPECT_EQ(ids(store_->ListRuns(2, first->back().number)), (std::vector<std::string>{"a"}));
  EXPECT_TRUE(store_->ListRuns(0)->empty());
  EXPECT_EQ(store_->ListRuns(SIZE_MAX)->size(), 3u);
}

TEST_P(StoreTest, EventsInPages) {
  CreateContractedRun("run_1");
  std::string prev = Hash("run_1");
  for (std::uint64_t seq = 0; seq < 10; ++seq) {
    const std::string hash = Hash(prev), text = std::to_string(seq);
    ASSERT_TRUE(Do([&](Transaction& t) {
      return t.AppendEvent("run_1", {.seq = seq, .prev = prev, .hash = hash, .text = text});
    }));
    prev = hash;
  }
  EXPECT_EQ(store_->Events("run_1")->size(), 10u);
  EXPECT_EQ(*store_->Events("run_1", 3, 2), (std::vector<std::string>{"3", "4"}));
  EXPECT_EQ(*store_->Events("run_1", 9), (std::vector<std::string>{"9"}));
  EXPECT_TRUE(store_->Events("run_1", 10)->empty());
  EXPECT_TRUE(store_->Events("run_1", UINT64_MAX)->empty());
}

TEST_P(StoreTest, UnfinishedRunsHaveAContractAndHaveNotEnded) {
  CreateRun("parked");
  CreateContractedRun("live");
  CreateContractedRun("done");
  Finish("done", At(2));
  CreateContractedRun("cancelled");
  ASSERT_TRUE(Do([&](Transaction& t) { return t.SetStatus("cancelled", RunStatus::kCancelled, At(2)); }));
  CreateContractedRun("live2");
  ASSERT_TRUE(Do([&](Transaction& t) { return t.SetStatus("live2", RunStatus::kRunning, At(2)); }));
  EXPECT_EQ(*store_->Unfinished(), (std::vector<std::string>{"live", "live2"}));
}

TEST_P(StoreTest, GcTakesOldEndedRunsOnly) {
  for (const char* id : {"a", "b", "c", "d", "e"}) CreateContractedRun(id);
  Finish("a", At(100));
  Finish("b", At(300));  // too young
  Finish("d", At(100));
  Finish("e", At(100));
  const auto old = [&](std::int64_t before, std::size_t keep) { return *store_->GcCandidates(At(before), keep); };
  EXPECT_EQ(old(200, 0), (std::vector<std::string>{"a", "d", "e"}));
  EXPECT_EQ(old(200, 1), (std::vector<std::string>{"a", "d"}));
  EXPECT_EQ(old(200, 3), (std::vector<std::string>{"a"}));
  EXPECT_TRUE(old(200, 5).empty());
  EXPECT_TRUE(old(200, SIZE_MAX).empty());
  EXPECT_TRUE(old(100, 0).empty());
  EXPECT_EQ(old(1000, 0), (std::vector<std::string>{"a", "b", "d", "e"})) << "never one that has not ended";
}

TEST_P(StoreTest, ArtifactsAndTheBlobsTheyName) {
  CreateContractedRun("run_1");
  CreateContractedRun("run_2");
  const Artifact log{.kind = "log", .name = "", .hash = Hash("log"), .bytes = 3};
  const Artifact output{.kind = "file", .name = "a\nb", .hash = Hash("out"), .bytes = 1ull << 40};
  ASSERT_TRUE(Do([&](Transaction& t) { return t.AddArtifact("run_1", output); }));
  ASSERT_TRUE(Do([&](Transaction& t) { return t.AddArtifact("run_1", log); }));
  ASSERT_TRUE(Do([&](Transaction& t) { return t.AddArtifact("run_2", log); }));
  EXPECT_EQ(Do([&](Transaction& t) { return t.AddArtifact("run_1", log); }).error().code, Code::kInvalid);
  EXPECT_EQ(
      Do([&](Transaction& t) { return t.AddArtifact("run_1", {.kind = "x", .name = "", .hash = "y"}); }).error().code,
      Code::kInvalid);
  EXPECT_EQ(*store_->Artifacts("run_1"), (std::vector<Artifact>{output, log}));
  EXPECT_TRUE(*store_->BlobInUse(Hash("out")));
  EXPECT_FALSE(*store_->BlobInUse(Hash("none")));
  ASSERT_TRUE(Do([&](Transaction& t) { return t.DeleteRun("run_1"); }));
  EXPECT_FALSE(*store_->BlobInUse(Hash("out")));
  EXPECT_TRUE(*store_->BlobInUse(Hash("log"))) << "run_2 still names it";
  EXPECT_EQ(store_->GetRun("run_1").error().code, Code::kNotFound);
}

TEST_P(StoreTest, DecisionsFormAChainFromTheGenesis) {
  const std::string genesis = Hash("plane key");
  EXPECT_EQ(store_->GetDecisionHead(genesis)->hash, genesis);
  EXPECT_TRUE(VerifyDecisions(*store_, genesis));
  std::string head;
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(Do([&](Transaction& t) -> Result<> {
      const auto next = t.AppendDecision(genesis, {.kind = static_cast<DecisionKind>(i),
                                                   .at = At(1'700'000'000'000 - i),
                                                   .run_id = i == 0 ? "" : "run_1",
                                                   .digest = Hash("what"),
                                                   .policy_hash = Hash("policy"),
                                                   .reason = "because\n\"so\"",
                                                   .detail = canon::Json::Of({{"n", i}})});
      if (!next) return std::unexpected(next.error());
      EXPECT_EQ(next->count, static_cast<std::uint64_t>(i + 1));
      EXPECT_NE(next->hash, head);
      head = next->hash;
      return {};
    }));
  }
  EXPECT_EQ(store_->GetDecisionHead(genesis)->hash, head);
  const auto verified = VerifyDecisions(*store_, genesis);
  ASSERT_TRUE(verified) << verified.error().what;
  EXPECT_EQ(verified->count, 5u);
  EXPECT_EQ(VerifyDecisions(*store_, Hash("other")).error().code, Code::kCorrupt);
  const auto page = store_->Decisions(1, 2);
  ASSERT_EQ(page->size(), 2u);
  EXPECT_EQ(page->at(0).kind, DecisionKind::kDeny);
  EXPECT_EQ(page->at(0).run_id, "run_1");
  const auto entry = canon::Parse(page->at(0).text, canon::Mode::kStrict);
  ASSERT_TRUE(entry);
  EXPECT_EQ(*entry->Find("event")->FindString("type"), "writ.decision.deny");
  EXPECT_EQ(*entry->FindString("hash"), page->at(0).hash);
  EXPECT_EQ(Do([&](Transaction& t) -> Result<> {
              const auto next = t.AppendDecision(Hash("other"), {.digest = Hash("what")});
              if (!next) return std::unexpected(next.error());
              return {};
            })
                .error()
                .code,
            Code::kInvalid)
      << "another plane key";
  EXPECT_EQ(store_->Decisions(0, SIZE_MAX)->size(), 5u);
}

TEST_P(StoreTest, DecisionsAreChecked) {
  const auto append = [&](std::string_view genesis, const NewDecision& decision) {
    return (*store_->Begin())->AppendDecision(genesis, decision).has_value();
  };
  EXPECT_TRUE(append(Hash("g"), {.digest = Hash("d")}));
  EXPECT_FALSE(append("g", {.digest = Hash("d")}));
  EXPECT_FALSE(append(Hash("g"), {.digest = ""}));
  EXPECT_FALSE(append(Hash("g"), {.digest = Hash("d"), .policy_hash = "p"}));
  EXPECT_FALSE(append(Hash("g"), {.run_id = "../x", .digest = Hash("d")}));
  EXPECT_FALSE(append(Hash("g"), {.digest = Hash("d"), .detail = canon::Json(1)}));
}

TEST_P(StoreTest, ValuesAreReplacedAsAWhole) {
  EXPECT_EQ(*store_->GetValue("probe"), std::nullopt);
  ASSERT_TRUE(Do([](Transaction& t) { return t.PutValue("probe", std::string_view("a\0b", 3)); }));
  EXPECT_EQ(*store_->GetValue("probe"), std::string("a\0b", 3));
  ASSERT_TRUE(Do([](Transaction& t) { return t.PutValue("probe", ""); }));
  EXPECT_EQ(*store_->GetValue("probe"), "");
}

}  // namespace
}  // namespace writ::storage
