// Attacks on a plane, by their number in the list of attack cases.

#include <gmock/gmock.h>

#include "api/failing_store_for_test.h"
#include "api/plane/runner_for_test.h"
#include "contract/bundle.h"
#include "plane/claim_token.h"
#include "storage/sqlite/open.h"

namespace writ::api {
namespace {

using canon::Json;
using testing::ElementsAre;
using testing::HasSubstr;

class PlaneAttackTest : public RunnerServiceTest {
 protected:
  PlaneOptions Options() override {
    PlaneOptions options = RunnerServiceTest::Options();
    options.wrap_store = [this](std::unique_ptr<storage::Store> store) {
      return std::make_unique<FailingStore>(std::move(store), plan_);
    };
    return options;
  }
  std::string Issue(const std::string& name, const std::string& role) {
    const Said said = Post("/v1/principals", Json::Of({{"name", name}, {"role", role}}), kAdmin);
    EXPECT_EQ(said.status, 200) << said.text;
    return *said.body.FindString("token");
  }
  FailurePlan plan_;
};

TEST_F(PlaneAttackTest, Attack35_AFullDiskStopsTheRunAndLosesNothing) {
  const auto runner = Enrol();
  const std::string id = AddRun();
  const auto nowhere = [&](const std::function<Said()>& call) {
    // Whatever change fails, the call is refused and has done nothing.
    for (int fail = 0;; ++fail) {
      plan_.changes = 0, plan_.fail_from = fail;
      const Said said = call();
      plan_.fail_from = -1;
      if (said.status == 200) return fail;
      EXPECT_EQ(said.status, 503) << said.text;
      EXPECT_THAT(said.error(), HasSubstr("the store cannot keep this"));
      if (fail > 20) return ADD_FAILURE() << "never succeeds", fail;
    }
  };
  Said claim;
  EXPECT_GT(nowhere([&] { return claim = Ask(ClaimCall(runner, 0, Ours())); }), 0);
  auto claimed = ClaimedByTest::From(claim.body);
  EXPECT_EQ(claimed.facts.chain.count(), 3u) << "no attempt before left anything";
  claimed.Add(contract::event::RunCompleted());
  const Json events = claimed.EventsBody();
  EXPECT_GT(nowhere([&] { return Post(claimed.Path("events"), events); }), 0);
  EXPECT_GT(nowhere([&] { return Post(claimed.Path("complete"), claimed.CompleteBody(runner.key)); }), 0);
  EXPECT_THAT(contract::VerifyBundle(Get("/v1/runs/" + id + "/bundle").body).problems, ElementsAre());
}

TEST_F(PlaneAttackTest, Attack35_TwoPlanesDoNotShareAState) {
  const auto second = PlaneService::Start(Options());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kUnavailable);
  EXPECT_THAT(second.error().what, HasSubstr("another plane uses the state directory"));
}

TEST_F(PlaneAttackTest, Attack35_AChangedChainIsNotContinued) {
  const auto runner = Enrol();
  const std::string id = AddRun();
  service_.reset();
  {
    // Somebody with the disk in hand puts another event into the chain.
    const auto directory = *storage::StateDir::Open(state(), storage::StateAccess::kWrite);
    const auto store = *storage::OpenSqliteStore(directory);
    const auto transaction = *store->Begin();
    const auto row = *store->GetRun(id);
    ASSERT_TRUE(transaction->AppendEvent(id, {.seq = 2, .prev = row.head, .hash = std::string(64, 'f'),
                                              .text = R"({"version":"warrant.event.v1","seq":2,"ts":"2026-03-01T12:00:00.000Z"})"}));
    ASSERT_TRUE(transaction->Commit(storage::Durability::kDurable));
  }
  Start();
  const std::string fine = AddRun();
  EXPECT_EQ(Claim(runner)->run_id, fine) << "the others do not wait for it";
  EXPECT_FALSE(Claim(runner));
  ASSERT_FALSE(logged_.empty());
  EXPECT_THAT(logged_.back(), HasSubstr("is left alone"));
}

TEST_F(PlaneAttackTest, Attack37_ClaimTokensOpenOneRunForOneRunner) {
  const auto first = Enrol(), second = Enrol("other");
  const std::string id = AddRun(), next = AddRun();
  const auto mine = *Claim(first), theirs = *Claim(first);
  EXPECT_EQ(Post("/v1/runs/" + theirs.run_id + "/events", Json::Of({{"claimToken", mine.token}, {"events", Json::MakeArray()}})).error(),
            "claim token run mismatch");
  // A token of this run for another runner, signed by the plane itself.
  const std::string forged = plane::SealClaimToken({id, second.id, "bm9uY2U", clock_->Now() + Millis{60000}}, test::PlaneKey());
  EXPECT_EQ(Post("/v1/runs/" + id + "/events", Json::Of({{"claimToken", forged}, {"events", Json::MakeArray()}})).error(),
            "claim token runner mismatch");
  const std::string other_key = plane::SealClaimToken({id, first.id, "bm9uY2U", clock_->Now() + Millis{60000}}, test::OtherKey());
  EXPECT_EQ(Post("/v1/runs/" + id + "/events", Json::Of({{"claimToken", other_key}, {"events", Json::MakeArray()}})).error(),
            "claim token signature invalid");
  EXPECT_EQ(Post("/v1/claims", Json::Of({{"runnerToken", second.token}, {"pool", "default"}})).error(),
            "runner is not enrolled in the requested pool");
  EXPECT_EQ(Post("/v1/claims", Json::Of({{"runnerToken", kAdmin}, {"pool", "default"}})).error(), "invalid runner token");
  // Both tokens store blobs, an invented one does not.
  EXPECT_EQ(Ask({.method = "POST", .path = "/v1/blobs", .authorization = "Bearer " + mine.token, .body = "x"}).status, 200);
  EXPECT_EQ(Ask({.method = "POST", .path = "/v1/blobs", .authorization = "Bearer " + forged, .body = "x"}).status, 401);
}

TEST_F(PlaneAttackTest, Attack37_AStolenRunnerTokenSignsNothing) {
  const auto robbed = Enrol();
  const std::string id = AddRun();
  const auto thief = crypto::PrivateKey::Generate();
  auto claimed = *Claim(robbed, Ours());  // with the token alone
  claimed.Add(contract::event::RunCompleted());
  EXPECT_EQ(Post(claimed.Path("events"), claimed.EventsBody()).status, 200);
  EXPECT_THAT(Post(claimed.Path("complete"), claimed.CompleteBody(thief)).error(), HasSubstr("receipt runner signature invalid"));
  clock_->Advance(Millis{31000});
  service_->Tick();
  // The chain has its end and cannot be taken back; the receipt says that no runner vouches for it.
  const Json bundle = Get("/v1/runs/" + id + "/bundle").body;
  EXPECT_EQ(*bundle.Find("receipt")->Find("runner")->FindString("runnerId"), "rnr_keeper");
  EXPECT_THAT(contract::VerifyBundle(bundle).problems, ElementsAre());
}

TEST_F(PlaneAttackTest, Attack37_TwoClaimsAtOnceAreTwoRunsAndNeitherSpeaksForTheOther) {
  const auto runner = Enrol();
  AddRun(), AddRun();
  auto first = *Claim(runner, Ours()), second = *Claim(runner, Ours());
  ASSERT_NE(first.run_id, second.run_id);
  EXPECT_FALSE(Claim(runner, Ours()));
  first.Add(contract::event::RunCompleted());
  second.Add(contract::event::RunCompleted());
  EXPECT_EQ(Post(first.Path("events"), second.EventsBody()).status, 401) << "the token of the other run";
  EXPECT_EQ(Post(first.Path("events"), first.EventsBody()).status, 200);
  EXPECT_EQ(Post(first.Path("complete"), second.CompleteBody(runner.key)).status, 401);
  EXPECT_EQ(Post(first.Path("complete"), first.CompleteBody(runner.key)).status, 200);
  EXPECT_EQ(RowOf(second.run_id).status, storage::RunStatus::kClaimed);
}

TEST_F(PlaneAttackTest, Attack37_WhatAReceiptRepeatsIsBoundedAndTheRunStillEnds) {
  const auto runner = Enrol();
  const std::string id = AddRun();
  auto claimed = *Claim(runner, Ours());
  const std::string wide(200 << 10, 'x');
  Said said;
  for (int i = 0; i < 400; ++i) {
    auto more = claimed;
    more.Add(contract::event::Extension("writ.output.collected", Json::Of({{"name", wide}, {"sha256", std::string(64, 'a')}, {"bytes", 1}})));
    said = Post(more.Path("events"), more.EventsBody());
    if (said.status != 200) break;
    claimed = std::move(more);
  }
  EXPECT_EQ(said.status, 413) << said.text.substr(0, 200);
  claimed.Add(contract::event::RunFailed("session_failed", "too much to say"));
  EXPECT_EQ(Post(claimed.Path("events"), claimed.EventsBody()).status, 200);
}

TEST_F(PlaneAttackTest, Attack39_PathsAndIdsThatAreNone) {
  for (const char* path : {"/v1/runs/../principals", "/v1/runs/%2e%2e/bundle", "/v1/runs//bundle", "/v1/runs/a b/bundle",
                           "/v1/runs/run_1/bundle/", "//v1/principals", "/v1/principals/", "/v1/blobs/../../etc/passwd",
                           "/V1/principals", "/v1/runs/run_1/bundle/x", "v1/principals", ""}) {
    SCOPED_TRACE(path);
    const Said said = Get(path);
    EXPECT_EQ(said.status, 404);
    EXPECT_EQ(said.error(), fmt::format("no route for GET {}", path));
  }
  EXPECT_EQ(Get("/v1/runs/" + std::string(129, 'a') + "/bundle").status, 404);
  EXPECT_EQ(Get("/v1/runs/run_nobody/bundle").error(), "run not found");
}

TEST_F(PlaneAttackTest, Attack39_NothingIsToldToWhoHasNoToken) {
  const std::string id = AddRun();
  for (const std::string& path : {"/v1/runs/" + id + "/bundle", std::string("/v1/runs/run_nobody/bundle"),
                                  std::string("/v1/principals"), std::string("/v1/runners")}) {
    EXPECT_EQ(Ask({.method = "GET", .path = path, .address = path}).error(), "unauthorized") << path;
  }
}

TEST_F(PlaneAttackTest, Attack39_BodiesThatAreNone) {
  for (const char* body : {"", "{", "[1,2", R"({"name":"a","name":"b"})", "\xff", "{}{}"}) {
    SCOPED_TRACE(body);
    PlaneCall call = PostCall("/v1/principals", Json::MakeObject(), kAdmin);
    call.body = body;
    const Said said = Ask(std::move(call));
    EXPECT_EQ(said.status, 400);
    EXPECT_EQ(said.error(), "request body is not valid JSON");
  }
  EXPECT_EQ(Post("/v1/principals", Json::MakeArray(), kAdmin).status, 400);
  EXPECT_EQ(Post("/v1/claims", Json("text")).status, 400);
  PlaneCall deep = PostCall("/v1/claims", Json::MakeObject());
  deep.body = std::string(60000, '[');
  EXPECT_EQ(Ask(std::move(deep)).status, 400);
  PlaneCall padded = PostCall("/v1/claims", Json::MakeObject());
  padded.body = "{}" + std::string(64 << 10, ' ');
  EXPECT_EQ(Ask(std::move(padded)).status, 413) << "a call that waits keeps its body";
}

TEST_F(PlaneAttackTest, Attack43_OnePrincipalsFloodIsItsOwn) {
  const std::string loud = Issue("loud", "requester"), modest = Issue("modest", "requester");
  int refused = 0;
  for (int i = 0; i < 300; ++i) refused += Get("/v1/runs/run_x/bundle", loud).status == 429 ? 1 : 0;
  EXPECT_EQ(refused, 200) << "a burst of 100, and the clock stands still";
  EXPECT_EQ(Get("/v1/runs/run_x/bundle", modest).status, 404);
  clock_->Advance(Millis{1000});
  EXPECT_EQ(Get("/v1/runs/run_x/bundle", loud).status, 404);
}

TEST_F(PlaneAttackTest, Attack43_BadTokensLockOutTheirSenderOnly) {
  const std::string good = Issue("good", "requester");
  EXPECT_EQ(Get("/v1/runs/run_x/bundle", good, "nat").status, 404);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(Get("/v1/principals", "guess" + std::to_string(i), "nat").status, 401);
  EXPECT_EQ(Get("/v1/principals", "guess", "nat").error(), "too many authentication failures; backing off");
  EXPECT_EQ(Get("/v1/runs/run_x/bundle", good, "nat").status, 404) << "a neighbour goes on";
  EXPECT_EQ(Get("/v1/principals", kAdmin, "nat").status, 429) << "a guess that is right is not taken either";
  EXPECT_EQ(Get("/v1/principals", kAdmin, "elsewhere").status, 200);
  clock_->Advance(Millis{60000});
  EXPECT_EQ(Get("/v1/principals", kAdmin, "nat").status, 200);
}

TEST_F(PlaneAttackTest, Attack43_TenantsTakeTurns) {
  const auto runner = Enrol();
  for (int i = 0; i < 50; ++i) AddRun({}, "greedy");
  const std::string modest = AddRun({}, "modest");
  Claim(runner);
  EXPECT_EQ(Claim(runner)->run_id, modest);
}

TEST_F(PlaneAttackTest, Attack45_ARestartLetsRunnersGoOn) {
  const auto runner = Enrol();
  const std::string id = AddRun(), waiting = AddRun();
  auto claimed = *Claim(runner, Ours());
  claimed.Add(contract::event::NetworkConnected("a.example", true));
  EXPECT_EQ(Post(claimed.Path("events"), claimed.EventsBody()).status, 200);
  const auto asked = service_->Do([&](plane::Core& core, plane::Change& change) -> plane::Answer<> {
    WRIT_ANSWER(plane::AskToStop(core, change, id, "somebody asked"));
    return {};
  });
  ASSERT_TRUE(asked) << asked.error().error;
  clock_->Advance(Millis{25000});
  Restart();
  clock_->Advance(Millis{25000});
  service_->Tick();
  EXPECT_EQ(RowOf(id).status, storage::RunStatus::kRunning) << "leases begin anew";
  const Said beat = Post(claimed.Path("heartbeat"), Json::Of({{"claimToken", claimed.token}}));
  ASSERT_EQ(beat.status, 200) << beat.text;
  EXPECT_EQ(*beat.body.Find("writ")->FindString("stop"), "somebody asked");
  claimed.token = *beat.body.FindString("claimToken");
  claimed.Add(contract::event::RunCompleted());
  EXPECT_EQ(Post(claimed.Path("events"), claimed.EventsBody()).status, 200);
  EXPECT_EQ(Post(claimed.Path("complete"), claimed.CompleteBody(runner.key)).status, 200);
  EXPECT_THAT(contract::VerifyBundle(Get("/v1/runs/" + id + "/bundle").body).problems, ElementsAre());
  EXPECT_EQ(Claim(runner)->run_id, waiting);
}

TEST_F(PlaneAttackTest, Attack46_JumpsOfTheWallClockTakeNoRunFromItsRunner) {
  const auto runner = Enrol();
  const std::string id = AddRun(), waiting = AddRun();
  auto claimed = *Claim(runner, Ours());
  const WallTime before = clock_->Now();
  for (const auto jump : {std::chrono::hours{24}, std::chrono::hours{-24}}) {
    clock_->SetWall(before + jump);
    service_->Tick();
    EXPECT_EQ(RowOf(id).status, claimed.chain.count() > 3 ? storage::RunStatus::kRunning : storage::RunStatus::kClaimed);
    EXPECT_EQ(RowOf(waiting).status, storage::RunStatus::kCreated) << "not ended by a jump";
    claimed.Add(contract::event::NetworkConnected("a.example", true), clock_->Now());
    EXPECT_EQ(Post(claimed.Path("events"), claimed.EventsBody()).status, 200) << "its token holds as long as its lease";
  }
  clock_->SetWall(before + std::chrono::hours{24});
  EXPECT_FALSE(Claim(runner, Ours())) << "a contract that has expired by its own word is not given";
  clock_->SetWall(before);
  clock_->Advance(Millis{20000});
  const auto late = Claim(runner, Ours());
  ASSERT_TRUE(late);
  EXPECT_EQ(late->run_id, waiting);
  clock_->Advance(Millis{15000});
  service_->Tick();
  EXPECT_EQ(RowOf(id).status, storage::RunStatus::kFailed) << "35 seconds of no sign, by the clock that never jumps";
}

}  // namespace
}  // namespace writ::api
