#include <gmock/gmock.h>

#include "api/plane/runner_for_test.h"
#include "contract/bundle.h"
#include "contract/extension.h"

namespace writ::api {
namespace {

using canon::Json;
using testing::ElementsAre;
using testing::HasSubstr;

class PlaneServiceTest : public RunnerServiceTest {
 protected:
  static Json Extended(std::string_view tier, std::optional<std::string> on_lost = {}) {
    contract::ContractExtension extension;
    extension.tier = extension.weakest = tier;
    extension.on_lost = std::move(on_lost);
    extension.nonce = contract::MakeNonce();
    return contract::ToJson(extension);
  }
};

TEST_F(PlaneServiceTest, ARunFromQueueToVerifiedBundle) {
  const auto runner = Enrol();
  const std::string id = AddRun();
  auto claimed = Claim(runner);
  ASSERT_TRUE(claimed);
  EXPECT_EQ(claimed->run_id, id);
  claimed->Add(contract::event::WorkspaceMaterialized(*contract::HashCanonical(*claimed->contract.Find("workspace"))));
  EXPECT_EQ(Post(claimed->Path("events"), claimed->EventsBody()).text, R"({"ok":true})");
  EXPECT_EQ(RowOf(id).status, storage::RunStatus::kRunning);
  claimed->Add(contract::event::RunCompleted());
  EXPECT_EQ(Post(claimed->Path("events"), claimed->EventsBody()).status, 200);
  EXPECT_EQ(RowOf(id).status, storage::RunStatus::kRunning) << "a terminal event does not end the run";
  EXPECT_EQ(Get("/v1/runs/" + id + "/bundle").status, 404);

  const Said completed = Post(claimed->Path("complete"), claimed->CompleteBody(runner.key));
  ASSERT_EQ(completed.status, 200) << completed.text;
  EXPECT_EQ(RowOf(id).status, storage::RunStatus::kCompleted);
  const Said bundle = Get("/v1/runs/" + id + "/bundle");
  ASSERT_EQ(bundle.status, 200) << bundle.text;
  const auto verified = contract::VerifyBundle(bundle.body, {.plane = {contract::Pin::OfKey(test::PlaneKey().public_key())}, .runner = {}});
  EXPECT_THAT(verified.problems, ElementsAre());
  EXPECT_TRUE(verified.pinned);

  EXPECT_EQ(Post(claimed->Path("complete"), claimed->CompleteBody(runner.key)).error(),
            "claim token already used for completion");
  claimed->Add(contract::event::FileChanged("late", std::string(64, '1')));
  const Said late = Post(claimed->Path("events"), claimed->EventsBody());
  EXPECT_EQ(late.status, 409);
  EXPECT_EQ(late.error(), "run " + id + " is completed; its events are complete");
  EXPECT_EQ(Get("/v1/runs/" + id + "/bundle").text, bundle.text) << "nothing spoils a finished bundle";
}

TEST_F(PlaneServiceTest, EventsPostedAgainAreSkipped) {
  const auto runner = Enrol();
  const std::string id = AddRun();
  auto claimed = *Claim(runner);
  claimed.Add(contract::event::NetworkConnected("a.example", true));
  claimed.Add(contract::event::NetworkConnected("b.example", false));
  const Json body = claimed.EventsBody();
  EXPECT_EQ(Post(claimed.Path("events"), body).status, 200);
  EXPECT_EQ(Post(claimed.Path("events"), body).status, 200) << "the same";
  const auto types = TypesOf(id);
  EXPECT_THAT(types, ElementsAre("run.created", "policy.evaluated", "run.claimed", "network.connected", "network.connected"));
  // The same and one more, as a runner does that got no answer.
  claimed.Add(contract::event::RunCompleted());
  Json more = body;
  Json::Array entries = body.Find("events")->array();
  entries.push_back(claimed.pending.front());
  more.Set("events", entries);
  EXPECT_EQ(Post(claimed.Path("events"), more).status, 200);
  EXPECT_EQ(RowOf(id).event_count, 6u);
  // Another event in a place that is taken.
  auto fork = ClaimedByTest::From(Json::Of({{"runId", id},
                                            {"claimToken", claimed.token},
                                            {"contract", claimed.contract},
                                            {"events", StoredEvents(id, 3)}}));
  fork.Add(contract::event::NetworkConnected("evil.example", true));
  const Said forked = Post(claimed.Path("events"), fork.EventsBody());
  EXPECT_EQ(forked.status, 400);
  EXPECT_EQ(forked.error(), "event chain rejected at seq 3: another event is stored there");
}

TEST_F(PlaneServiceTest, Attack35_ChainsThatAreNone) {
  const auto runner = Enrol();
  const std::string id = AddRun();
  const auto claimed = *Claim(runner);
  struct Case {
    const char* says;
    std::function<void(Json& entry)> change;
  };
  const Case cases[] = {
      {"event chain rejected at seq 3: sequence gap", [](Json& e) { e.Set("seq", 4); }},
      {"event chain rejected at seq 3: prev hash mismatch", [](Json& e) { e.Set("prev", std::string(64, '0')); }},
      {"event chain rejected at seq 3: event hash mismatch", [](Json& e) { e.Set("hash", std::string(64, '0')); }},
      {"event chain rejected at seq 3: event hash mismatch", [](Json& e) { e.Set("ts", "2026-03-01T12:00:09.000Z"); }},
      {"invalid request: events.0.event.type: run.created is written by the plane only",
       [](Json& e) { e.Set("event", contract::event::RunCreated()); }},
      {"invalid request: events.0.event.type: consent.granted is written by the plane only",
       [](Json& e) { e.Set("event", contract::event::ConsentGranted({"human", "bob"})); }},
      {"invalid request: events.0.event.type: secret.released is written by the plane only",
       [](Json& e) { e.Set("event", contract::event::SecretReleased("TOK", "x")); }},
      {"invalid request: events.0.event.type: is none that a runner writes",
       [](Json& e) { e.Set("event", Json::Of({{"type", "made.up"}})); }},
      {"invalid request: events.0.event.host: must be a string",
       [](Json& e) { e.Set("event", Json::Of({{"type", "network.connected"}, {"host", 1}, {"decision", "allowed"}})); }},
      {"invalid request: events.0.ts: must be a timestamp such as 2026-01-02T03:04:05.678Z", [](Json& e) { e.Set("ts", "now"); }},
      {"invalid request: events.0.seq: must be a whole number", [](Json& e) { e.Set("seq", 3.5); }},
      {"invalid request: events.0.version: must be warrant.event.v1", [](Json& e) { e.Remove("version"); }},
      {"invalid request: events.0.has a member that entries do not have", [](Json& e) { e.Set("runId", "run_other"); }},
      {"invalid request: events.0.must be an object", [](Json& e) { e = nullptr; }},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.says);
    auto copy = claimed;
    copy.Add(contract::event::NetworkConnected("a.example", true));
    c.change(copy.pending.front());
    const Said said = Post(copy.Path("events"), copy.EventsBody());
    EXPECT_EQ(said.status, 400);
    EXPECT_EQ(said.error(), c.says);
  }
  // Nothing of a batch is kept when its last entry is wrong.
  auto copy = claimed;
  for (int i = 0; i < 3; ++i) copy.Add(contract::event::NetworkConnected("a.example", true));
  copy.pending.back().Set("prev", std::string(64, '0'));
  EXPECT_EQ(Post(copy.Path("events"), copy.EventsBody()).error(), "event chain rejected at seq 5: prev hash mismatch");
  EXPECT_EQ(RowOf(id).event_count, 3u);
  EXPECT_EQ(RowOf(id).status, storage::RunStatus::kClaimed);
  // And nothing comes after the end.
  copy = claimed;
  copy.Add(contract::event::RunCompleted());
  copy.Add(contract::event::NetworkConnected("a.example", true));
  EXPECT_EQ(Post(copy.Path("events"), copy.EventsBody()).error(),
            "event chain rejected at seq 4: the run's last event was posted before");
}

TEST_F(PlaneServiceTest, Attack36_AReceiptThatDoesNotFitChangesNothing) {
  const auto runner = Enrol();
  const std::string id = AddRun(), other = AddRun();
  auto claimed = *Claim(runner);
  claimed.Add(contract::event::RunCompleted());
  EXPECT_EQ(Post(claimed.Path("events"), claimed.EventsBody()).status, 200);
  const auto refuse = [&](Json receipt, const char* says) {
    SCOPED_TRACE(says);
    const Said said =
        Post(claimed.Path("complete"), Json::Of({{"claimToken", claimed.token}, {"receipt", std::move(receipt)}}));
    EXPECT_EQ(said.status, 400);
    EXPECT_THAT(said.error(), HasSubstr(says));
    EXPECT_EQ(RowOf(id).status, storage::RunStatus::kRunning);
  };
  refuse(Json::MakeObject(), "invalid request: receipt.runId: must be a string");
  refuse(nullptr, "invalid request: receipt: must be an object");
  Json receipt = claimed.Receipt(runner.key);
  receipt.Set("runId", other);
  refuse(receipt, "receipt runner verification failed: receipt.runId does not match the contract; receipt runner signature invalid");
  refuse(claimed.Receipt(test::OtherKey()), "receipt runner signature invalid");
  refuse(claimed.Receipt(runner.key, storage::RunStatus::kFailed), "terminal event does not match receipt status");
  auto unstored = claimed;
  unstored.facts.artifact_hashes.push_back(std::string(64, 'e'));
  refuse(unstored.Receipt(runner.key), "receipt names blobs that are not stored: eeee");
  EXPECT_EQ(Post(claimed.Path("complete"), claimed.CompleteBody(runner.key)).status, 200)
      << "a refused completion has not spent the token";
}

TEST_F(PlaneServiceTest, SecretsLeaveAfterTheirEvents) {
  const auto runner = Enrol();
  const std::string id = AddRun([](contract::Contract& draft) { draft.secrets = {{"TOK", "team:x"}}; });
  const Said said = Post("/v1/claims", Json::Of({{"runnerToken", runner.token}, {"pool", "default"}}));
  ASSERT_EQ(said.status, 200);
  EXPECT_EQ(*said.body.Find("secrets"), *canon::Parse(R"([{"name":"TOK","value":"s3cr3t"}])", canon::Mode::kStrict));
  EXPECT_THAT(TypesOf(id), ElementsAre("run.created", "policy.evaluated", "run.claimed", "secret.released"));
  EXPECT_EQ(said.body.Find("events")->array().size(), 4u);
  EXPECT_EQ(said.body.Find("writ"), nullptr) << "an old runner is told nothing new";
}

TEST_F(PlaneServiceTest, AMissingSecretEndsTheRunWithAReceipt) {
  const auto runner = Enrol();
  const std::string missing = AddRun([](contract::Contract& draft) { draft.secrets = {{"TOK", "x"}, {"MISSING", "x"}}; });
  const std::string fine = AddRun();
  const auto claimed = Claim(runner);
  ASSERT_TRUE(claimed);
  EXPECT_EQ(claimed->run_id, fine) << "the next one is given";
  EXPECT_EQ(RowOf(missing).status, storage::RunStatus::kFailed);
  EXPECT_THAT(TypesOf(missing),
              ElementsAre("run.created", "policy.evaluated", "run.claimed", "writ.run.ended", "run.failed"));
  const Said bundle = Get("/v1/runs/" + missing + "/bundle");
  EXPECT_THAT(contract::VerifyBundle(bundle.body).problems, ElementsAre());
  EXPECT_THAT(bundle.text, HasSubstr("secret \\\"MISSING\\\" is not in the plane's store"));
  EXPECT_THAT(bundle.text, HasSubstr("secret_release_denied"));
}

TEST_F(PlaneServiceTest, ARunWhoseSecretIsStillFetchedKeepsItsPlace) {
  const auto runner = Enrol();
  std::atomic<bool> here = false;
  lookup_ = [&](std::string_view) -> Result<std::optional<plane::ReleasableSecret>> {
    if (!here) return Fail(Code::kDeadline, "vault:x#y is being read");
    return plane::ReleasableSecret(crypto::SecretBytes::CopyOf(AsBytes(std::string_view("late value"))));
  };
  const std::string late = AddRun([](contract::Contract& draft) { draft.secrets = {{"TOK", "x"}}; });
  const std::string fine = AddRun();
  EXPECT_EQ(Claim(runner)->run_id, fine) << "nobody waits for it";
  auto waiting = Send(ClaimCall(runner, 30000));
  service_->Tick();
  clock_->Advance(Millis{25});
  service_->Tick();
  EXPECT_EQ(waiting.wait_for(Millis{0}), std::future_status::timeout);
  here = true;
  clock_->Advance(Millis{25});
  service_->Tick();
  const Said said = Take(waiting);
  ASSERT_NE(said.body.FindString("runId"), nullptr) << said.text;
  EXPECT_EQ(*said.body.FindString("runId"), late);
  EXPECT_THAT(said.text, HasSubstr(R"("secrets":[{"name":"TOK","value":"late value"}])"));
}

TEST_F(PlaneServiceTest, ASecretThatIsBoundToAHostGoesOnlyToRunnersThatKeepIt) {
  const auto runner = Enrol();
  lookup_ = [&](std::string_view) -> Result<std::optional<plane::ReleasableSecret>> {
    return plane::ReleasableSecret(crypto::SecretBytes::CopyOf(AsBytes(std::string_view("bound value"))), "api.example.org");
  };
  const auto add = [&] { return AddRun([](contract::Contract& draft) { draft.secrets = {{"TOK", "x"}}; }); };
  const std::string first = add();
  EXPECT_FALSE(Claim(runner, Ours()));
  EXPECT_EQ(RowOf(first).status, storage::RunStatus::kFailed);
  const Said bundle = Get("/v1/runs/" + first + "/bundle");
  EXPECT_THAT(bundle.text, HasSubstr("secret_release_denied"));
  EXPECT_THAT(bundle.text, HasSubstr("is bound to api.example.org"));
  EXPECT_THAT(bundle.text, testing::Not(HasSubstr("bound value")));
  const std::string second = add();
  Json keeps = Ours();
  keeps.Set("secretHosts", true);
  const Said said = Ask(ClaimCall(runner, 0, keeps));
  EXPECT_EQ(*said.body.FindString("runId"), second);
  EXPECT_THAT(said.text, HasSubstr(R"({"name":"TOK","value":"bound value","writ":{"v":1,"host":"api.example.org"}})"));
}

TEST_F(PlaneServiceTest, LongPollWakesForARun) {
  const auto runner = Enrol();
  auto first = Send(ClaimCall(runner, 30000)), second = Send(ClaimCall(runner, 30000));
  const std::string id = AddRun();
  const Said said = Take(first);
  ASSERT_NE(said.body.FindString("runId"), nullptr) << said.text;
  EXPECT_EQ(*said.body.FindString("runId"), id);
  clock_->Advance(Millis{29999});
  service_->Tick();
  EXPECT_EQ(second.wait_for(Millis{0}), std::future_status::timeout);
  clock_->Advance(Millis{1});
  service_->Tick();
  EXPECT_EQ(Take(second).text, R"({"empty":true})");
}

TEST_F(PlaneServiceTest, ALookAtARunCanWaitForItsEnd) {
  const std::string id = AddRun(), other = AddRun();
  const auto look = [&](const std::string& run, const char* wait_ms) {
    return Send({.method = "GET", .path = "/v1/runs/" + run, .query = {{"waitMs", wait_ms}}, .authorization = std::string("Bearer ") + kAdmin,
                 .address = "10.0.0.1"});
  };
  auto ends = look(id, "30000"), lasts = look(other, "30000"), refused = look(id, "30001"), unknown = look("run_0", "30000");
  EXPECT_EQ(Take(refused).status, 400);
  EXPECT_EQ(Take(unknown).status, 404);
  EXPECT_EQ(ends.wait_for(Millis{0}), std::future_status::timeout);
  ASSERT_EQ(Post("/v1/runs/" + id + "/cancel", Json::MakeObject(), kAdmin).status, 200);
  EXPECT_EQ(*Take(ends).body.FindString("status"), "cancelled");
  EXPECT_EQ(lasts.wait_for(Millis{0}), std::future_status::timeout);
  clock_->Advance(Millis{30000});
  service_->Tick();
  EXPECT_EQ(*Take(lasts).body.FindString("status"), "created");
  auto ended = look(id, "30000");
  EXPECT_EQ(*Take(ended).body.FindString("status"), "cancelled");
}

TEST_F(PlaneServiceTest, ARunnerThatStopsHasItsClaimsAnswered) {
  const auto runner = Enrol(), other = Enrol();
  auto mine = Send(ClaimCall(runner, 30000)), theirs = Send(ClaimCall(other, 30000));
  const auto end = [&](std::string_view token, std::string_view pool) {
    return Post("/v1/claims/end", Json::Of({{"runnerToken", token}, {"pool", pool}}));
  };
  EXPECT_EQ(end("guessed", "default").status, 401);
  EXPECT_EQ(end(runner.token, "elsewhere").status, 401);
  EXPECT_EQ(mine.wait_for(Millis{0}), std::future_status::timeout);
  const Said ended = end(runner.token, "default");
  EXPECT_EQ(ended.status, 200) << ended.text;
  EXPECT_EQ(Take(mine).text, R"({"empty":true})");
  EXPECT_EQ(theirs.wait_for(Millis{0}), std::future_status::timeout);
  const std::string id = AddRun();
  EXPECT_EQ(*Take(theirs).body.FindString("runId"), id);
}

TEST_F(PlaneServiceTest, ARunIsNotGivenToAPeerThatHasGone) {
  const auto runner = Enrol();
  auto gone = std::make_shared<std::atomic<bool>>(false);
  PlaneCall call = ClaimCall(runner, 30000);
  call.gone = gone;
  auto lost = Send(std::move(call));
  service_->Tick();
  gone->store(true);
  const std::string id = AddRun();
  EXPECT_EQ(Take(lost).text, R"({"empty":true})");
  EXPECT_EQ(RowOf(id).status, storage::RunStatus::kCreated);
}

TEST_F(PlaneServiceTest, RunnersGetWhatTheyCanDo) {
  const auto runner = Enrol();
  const std::string microvm = AddRun([](contract::Contract& draft) {
    draft.writ = Extended("microvm");
  });
  const std::string plain = AddRun();
  EXPECT_EQ(Claim(runner)->run_id, plain) << "an old runner gets no contract with the extension";
  EXPECT_FALSE(Claim(runner));
  EXPECT_FALSE(Claim(runner, *canon::Parse(R"({"v":1,"tiers":["process"]})", canon::Mode::kStrict)));
  const auto claimed = Claim(runner, *canon::Parse(R"({"v":1,"tiers":["process","microvm"],"host":{"kernel":"6.1","version":"1","probe":"x","other":1}})",
                                                   canon::Mode::kStrict));
  ASSERT_TRUE(claimed);
  EXPECT_EQ(claimed->run_id, microvm);
  EXPECT_EQ(*claimed->facts.host->FindString("kernel"), "6.1");
  EXPECT_EQ(claimed->facts.host->Find("other"), nullptr);
}

TEST_F(PlaneServiceTest, LostRunnerEndsTheRun) {
  const auto runner = Enrol();
  const std::string id = AddRun();
  const auto claimed = Claim(runner, Ours());
  ASSERT_TRUE(claimed);
  clock_->Advance(Millis{29000});
  const Said beat = Post(claimed->Path("heartbeat"), Json::Of({{"claimToken", claimed->token}}));
  ASSERT_EQ(beat.status, 200) << beat.text;
  EXPECT_EQ(*beat.body.Find("writ"), *canon::Parse(R"({"v":1,"leaseMs":30000,"stop":false})", canon::Mode::kStrict));
  clock_->Advance(Millis{29000});
  service_->Tick();
  EXPECT_EQ(RowOf(id).status, storage::RunStatus::kClaimed) << "renewed";
  clock_->Advance(Millis{2000});
  service_->Tick();
  EXPECT_EQ(RowOf(id).status, storage::RunStatus::kFailed);
  EXPECT_THAT(TypesOf(id), ElementsAre("run.created", "policy.evaluated", "run.claimed", "writ.run.interrupted", "run.failed"));
  const Said bundle = Get("/v1/runs/" + id + "/bundle");
  EXPECT_THAT(contract::VerifyBundle(bundle.body).problems, ElementsAre());
  EXPECT_EQ(*bundle.body.Find("receipt")->Find("runner")->FindString("runnerId"), "rnr_keeper");
  EXPECT_EQ(*bundle.body.Find("keys")->FindString("runnerPublicKeyPem"), test::KeyOfRepeated(0x44).public_key().Pem());
  // The lost runner comes back.
  EXPECT_EQ(Post(claimed->Path("heartbeat"), Json::Of({{"claimToken", claimed->token}})).status, 409);
  EXPECT_EQ(Post(claimed->Path("complete"), claimed->CompleteBody(runner.key)).status, 409);
}

TEST_F(PlaneServiceTest, Attack37_ALostRunGoesToAnotherRunnerOnlyAsItsContractSays) {
  const auto first = Enrol(), second = Enrol();
  const std::string id = AddRun([](contract::Contract& draft) {
    draft.writ = Extended("process", "requeue");
  });
  auto lost = *Claim(first, Ours());
  clock_->Advance(Millis{31000});
  service_->Tick();
  EXPECT_EQ(RowOf(id).status, storage::RunStatus::kCreated);
  auto claimed = *Claim(second, Ours());
  EXPECT_EQ(claimed.run_id, id);
  EXPECT_THAT(TypesOf(id), ElementsAre("run.created", "policy.evaluated", "run.claimed", "writ.run.requeued", "run.claimed"));
  // What the first one still says counts no more: its claim is another one.
  lost.Add(contract::event::RunCompleted());
  EXPECT_EQ(Post(lost.Path("events"), lost.EventsBody()).status, 401);
  EXPECT_EQ(Post(lost.Path("complete"), lost.CompleteBody(first.key)).status, 401);
  EXPECT_EQ(Post(lost.Path("heartbeat"), Json::Of({{"claimToken", lost.token}})).status, 401);
  claimed.Add(contract::event::RunCompleted());
  EXPECT_EQ(Post(claimed.Path("events"), claimed.EventsBody()).status, 200);
  EXPECT_EQ(Post(claimed.Path("complete"), claimed.CompleteBody(second.key)).status, 200);
  EXPECT_THAT(contract::VerifyBundle(Get("/v1/runs/" + id + "/bundle").body).problems, ElementsAre());
}

TEST_F(PlaneServiceTest, AtMostThreeAttempts) {
  const auto runner = Enrol();
  const std::string id = AddRun([](contract::Contract& draft) {
    draft.writ = Extended("process", "requeue");
  });
  for (int attempt = 1; attempt <= 3; ++attempt) {
    const Said said = Ask(ClaimCall(runner, 0, Ours()));
    ASSERT_NE(said.body.Find("writ"), nullptr) << said.text;
    EXPECT_EQ(*said.body.Find("writ")->Find("attempt"), Json(attempt));
    clock_->Advance(Millis{31000});
    service_->Tick();
  }
  EXPECT_EQ(RowOf(id).status, storage::RunStatus::kFailed);
  EXPECT_THAT(contract::VerifyBundle(Get("/v1/runs/" + id + "/bundle").body).problems, ElementsAre());
}

TEST_F(PlaneServiceTest, UnclaimedRunsEndAndSayWhatWasMissing) {
  const std::string nobody = AddRun();
  clock_->Advance(std::chrono::minutes{30});
  service_->Tick();
  EXPECT_EQ(RowOf(nobody).status, storage::RunStatus::kCreated);
  clock_->Advance(std::chrono::minutes{31});
  service_->Tick();
  EXPECT_EQ(RowOf(nobody).status, storage::RunStatus::kFailed);
  EXPECT_THAT(Get("/v1/runs/" + nobody + "/bundle").text, HasSubstr("no runner in pool \\\"default\\\""));

  const auto runner = Enrol();
  const std::string microvm = AddRun([](contract::Contract& draft) {
    draft.writ = Extended("microvm");
  });
  EXPECT_FALSE(Claim(runner, Ours()));
  clock_->Advance(std::chrono::minutes{61});
  service_->Tick();
  const Said bundle = Get("/v1/runs/" + microvm + "/bundle");
  EXPECT_THAT(bundle.text, HasSubstr("has tier \\\"microvm\\\""));
  EXPECT_THAT(bundle.text, HasSubstr("capability_mismatch"));
  EXPECT_THAT(contract::VerifyBundle(bundle.body).problems, ElementsAre());
  EXPECT_THAT(TypesOf(microvm), ElementsAre("run.created", "policy.evaluated", "run.claimed", "writ.run.ended", "run.failed"));
}

}  // namespace
}  // namespace writ::api
