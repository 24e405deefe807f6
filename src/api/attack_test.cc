#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/plane_for_test.h"

namespace writ::api {
namespace {

using isolation::Place;
using isolation::Stream;
using isolation::Termination;
using namespace isolation::fake;  // NOLINT: the steps of scripts
using testing::Contains;
using testing::HasSubstr;

class AttackTest : public PlaneTest {
 protected:
  /// What somebody does who can write the store's file.
  void Tamper(const std::string& sql) {
    plane_.reset();
    sqlite3* database = nullptr;
    ASSERT_EQ(::sqlite3_open((state() + "/writ.db").c_str(), &database), SQLITE_OK);
    char* message = nullptr;
    EXPECT_EQ(::sqlite3_exec(database, sql.c_str(), nullptr, nullptr, &message), SQLITE_OK)
        << (message != nullptr ? message : "");
    EXPECT_GT(::sqlite3_changes(database), 0) << sql;
    ::sqlite3_free(message);
    ::sqlite3_close(database);
  }
  /// Verification, or reading what should be verified, names the damage.
  std::string Problem(const std::string& run) {
    const auto report = plane().Verify(run);
    if (!report) return report.error().what;
    EXPECT_FALSE(report->ok) << "the change was not noticed";
    return testing::PrintToString(report->problems);
  }
  RunResult RunWithOutput() {
    script_.steps = {Print{Stream::kStdout, "words\n"}};
    return Run();
  }
};

TEST_F(AttackTest, Attack17_EmptyNullMissingAndMisspelledListsDeny) {
  struct Case {
    const char* why;
    const char* yaml;
    bool readable;
  };
  const Case cases[] = {
      {"empty pools", "version: 1\nrunners: {allowPools: []}\nagents: {allow: [command]}\n", true},
      {"missing agents", "version: 1\nrunners: {allowPools: [local]}\n", true},
      {"null agents", "version: 1\nrunners: {allowPools: [local]}\nagents: {allow: null}\n", true},
      {"misspelled key", "version: 1\nrunners: {allowPool: [local]}\nagents: {allow: [command]}\n", false},
      {"duplicate key", "version: 1\nagents: {allow: [command]}\nagents: {allow: [command]}\n", false},
      {"not a policy", "[1, 2]\n", false},
  };
  int ran = 0;
  script_.steps = {Call{[&] { ++ran; }}};
  for (const auto& c : cases) {
    SCOPED_TRACE(c.why);
    Put(path("policy.yaml"), c.yaml);
    policy_file_ = path("policy.yaml");
    const auto result = plane().Run(Request(), sink_, control_);
    if (result) {
      EXPECT_TRUE(c.readable);
      EXPECT_EQ(result->decision.verdict, Verdict::kDeny);
      EXPECT_EQ(result->exit_code, 122);
      EXPECT_EQ(result->run_id, "");
      EXPECT_NE(result->decision.grant, "") << "a denial says what would change it";
    } else {
      EXPECT_FALSE(c.readable) << result.error().what;
      EXPECT_THAT(result.error().what, HasSubstr("policy"));
    }
  }
  EXPECT_EQ(ran, 0);
  const auto decisions = plane().Decisions(100);
  ASSERT_TRUE(decisions);
  EXPECT_EQ(decisions->size(), std::size(cases)) << "every denial and refusal is in the decision log";
  EXPECT_TRUE(plane().VerifyDecisions());
}

TEST_F(AttackTest, AskIsRefusedWithItsReason) {
  Put(path("policy.yaml"),
      "version: 1\nrunners: {allowPools: [local]}\nagents: {allow: [command]}\n"
      "tiers: {allow: [process]}\n"
      "consent: [{when: any-run, approvers: [boss]}]\n");
  policy_file_ = path("policy.yaml");
  const auto result = plane().Run(Request(), sink_, control_);
  ASSERT_TRUE(result) << result.error().what;
  EXPECT_EQ(result->decision.verdict, Verdict::kNeedsApproval);
  EXPECT_EQ(result->exit_code, 123);
  EXPECT_THAT(result->decision.reasons, Contains("any-run"));
  EXPECT_THAT(canon::Compact(plane().Decisions(1)->front()), HasSubstr("writ.decision.ask"));
}

TEST_F(AttackTest, Attack18_NothingOfTheStateDirectoryCanBeGivenToARun) {
  ASSERT_EQ(Run().exit_code, 0);  // makes the state directory
  ASSERT_TRUE(sys::MakeDirectories(path("inner"), 0700));
  ASSERT_EQ(::symlink(state().c_str(), path("alias").c_str()), 0);
  struct Case {
    const char* why;
    std::function<void(CreateRun&)> change;
  };
  const std::string key = state() + "/keys/plane.key.pem";
  const Case cases[] = {
      {"workspace is the state directory", [&](CreateRun& r) { r.workspace = state(); }},
      {"workspace contains it", [&](CreateRun& r) { r.workspace = temporary_.path(); }},
      {"workspace inside it", [&](CreateRun& r) { r.workspace = state() + "/keys"; }},
      {"workspace by a link", [&](CreateRun& r) { r.workspace = path("alias"); }},
      {"root contains it", [&](CreateRun& r) { r.root = temporary_.path(); }},
      {"input is a key", [&](CreateRun& r) { r.inputs = {{key, ""}}; }},
      {"input is a key by a link", [&](CreateRun& r) { r.inputs = {{path("alias/keys/plane.key.pem"), "k"}}; }},
      {"input contains it", [&](CreateRun& r) { r.inputs = {{temporary_.path(), "t"}}; }},
      {"outputs into it", [&](CreateRun& r) { r.out_dir = state() + "/keys"; }},
  };
  int ran = 0;
  script_.steps = {Call{[&] { ++ran; }}};
  for (const auto& c : cases) {
    SCOPED_TRACE(c.why);
    CreateRun request = Request();
    c.change(request);
    const auto result = plane().Run(std::move(request), sink_, control_);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Code::kDenied) << result.error().what;
    CreateRun again = Request();
    c.change(again);
    const auto preview = plane().DryRun(again);
    EXPECT_FALSE(preview) << "a dry run says the same";
  }
  EXPECT_EQ(ran, 0);
}

TEST_F(AttackTest, Attack35_ChangedEventsAreNamed) {
  const std::string run = RunWithOutput().run_id;
  Tamper("UPDATE events SET text = replace(text, 'run.created', 'run.creates') WHERE place & 0xffffffff = 0");
  EXPECT_THAT(Problem(run), HasSubstr("event chain broken at seq 0"));
}

TEST_F(AttackTest, Attack35_RemovedEventsAreNamed) {
  const std::string run = RunWithOutput().run_id;
  Tamper("DELETE FROM events WHERE place & 0xffffffff = 3");
  EXPECT_THAT(Problem(run), testing::AnyOf(HasSubstr("event chain broken"), HasSubstr("event")));
}

TEST_F(AttackTest, Attack35_AShortenedChainIsNamed) {
  const std::string run = RunWithOutput().run_id;
  Tamper("DELETE FROM events WHERE place = (SELECT max(place) FROM events)");
  EXPECT_THAT(Problem(run), testing::AnyOf(HasSubstr("receipt.eventsHead does not match"), HasSubstr("event")));
}

TEST_F(AttackTest, Attack35_AChangedDecisionLogIsNamed) {
  const RunResult result = RunWithOutput();
  RunWithOutput();
  Tamper("UPDATE decisions SET text = replace(text, 'allow', 'allo_') WHERE seq = 0");
  const auto verified = plane().VerifyDecisions();
  ASSERT_FALSE(verified);
  EXPECT_EQ(verified.error().code, Code::kCorrupt);
  EXPECT_THAT(verified.error().what, HasSubstr("seq 0"));
}

TEST_F(AttackTest, Attack36_AChangedReceiptIsNamed) {
  script_.end.code = 3;
  const std::string run = RunWithOutput().run_id;
  Tamper("UPDATE documents SET text = replace(text, '\"code\":3', '\"code\":0') WHERE kind = 'receipt'");
  EXPECT_THAT(Problem(run), HasSubstr("receipt runner signature invalid"));
}

TEST_F(AttackTest, Attack36_AChangedContractIsNamed) {
  const std::string run = RunWithOutput().run_id;
  Tamper("UPDATE documents SET text = replace(text, '\"job\"', '\"jab\"') WHERE kind = 'contract'");
  EXPECT_THAT(Problem(run), HasSubstr("contract plane signature invalid"));
}

TEST_F(AttackTest, Attack36_AnotherRunsReceiptIsNamed) {
  const std::string first = RunWithOutput().run_id;
  const std::string second = RunWithOutput().run_id;
  Tamper(fmt::format("UPDATE documents SET text = (SELECT text FROM documents JOIN runs ON run = number "
                     "WHERE id = '{}' AND kind = 'receipt') "
                     "WHERE kind = 'receipt' AND run = (SELECT number FROM runs WHERE id = '{}')",
                     first, second));
  EXPECT_THAT(Problem(second), HasSubstr("receipt.runId does not match the contract"));
}

TEST_F(AttackTest, Attack36_OtherKeysAreNotTheStoresOwn) {
  const std::string run = RunWithOutput().run_id;
  plane_.reset();
  ASSERT_EQ(::unlink((state() + "/keys/plane.key.pem").c_str()), 0);
  EXPECT_THAT(Problem(run), HasSubstr("contract plane signature invalid"));
}

TEST_F(AttackTest, AChangedBlobIsNamed) {
  const RunResult result = RunWithOutput();
  std::string hash;
  const auto artifacts = plane().Artifacts(result.run_id);
  ASSERT_TRUE(artifacts);
  for (const auto& artifact : *artifacts)
    if (artifact.kind == "log") hash = artifact.sha256;
  const std::string file = state() + "/blobs/" + hash.substr(0, 2) + "/" + hash;
  ASSERT_EQ(::chmod(file.c_str(), 0600), 0);
  Put(file, "other\n");
  EXPECT_THAT(Problem(result.run_id), HasSubstr("other content than its digest"));
  const auto read = plane().ReadKind(result.run_id, "log", [](ByteView) -> Result<> { return {}; });
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, Code::kCorrupt);
}

TEST_F(AttackTest, AForgedChangeRecordIsNotApplied) {
  ASSERT_TRUE(sys::MakeDirectories(path("work"), 0700));
  script_.steps = {WriteFile{Place::kWorkspace, "a.txt", "mild\n"}};
  CreateRun request = Request();
  request.workspace = path("work");
  const std::string run = Run(std::move(request)).run_id;
  Tamper("UPDATE artifacts SET hash = (SELECT hash FROM artifacts WHERE kind = 'diff') WHERE kind = 'changes'");
  const auto applied =
      plane().Apply({.run = run, .directory = "", .dry_run = false, .force = true, .flagged = true});
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().code, Code::kCorrupt);
  EXPECT_NE(::access(path("work/a.txt").c_str(), F_OK), 0);
}

TEST_F(AttackTest, Attack46_AClockThatJumpsBackChangesNoOrderAndNoDuration) {
  const WallTime noon = *ParseTimestamp("2026-03-01T12:00:00.000Z");
  FakeClock clock(noon);
  clock_ = &clock;
  script_.steps = {Call{[&] {
    clock.Advance(Millis{1500});
    clock.SetWall(noon - std::chrono::hours{5});  // somebody sets the clock back during the run
  }}};
  const RunResult first = Run();
  const auto events = plane().Events(first.run_id);
  ASSERT_TRUE(events);
  double mono = -1;
  for (std::size_t i = 0; i < events->size(); ++i) {
    EXPECT_EQ((*events)[i].Find("seq")->number(), static_cast<double>(i));
    const double now = (*events)[i].Find("event")->Find("writ")->Find("monoUs")->number();
    EXPECT_GE(now, mono);
    mono = now;
  }
  EXPECT_EQ(mono, 1'500'000);
  EXPECT_EQ(first.receipt.Find("writ")->Find("durationUs")->number(), 1'500'000);
  EXPECT_EQ(*first.receipt.FindString("startedAt"), "2026-03-01T12:00:00.000Z");
  EXPECT_EQ(*first.receipt.FindString("endedAt"), "2026-03-01T07:00:00.000Z");
  ExpectVerified(first.run_id);

  script_.steps.clear();
  const RunResult second = Run();  // created five hours before the first, by the wall clock
  const auto rows = plane().List(10, false);
  ASSERT_TRUE(rows);
  EXPECT_EQ(rows->front().run_id, second.run_id) << "newest first is the order of creation";
}

TEST_F(AttackTest, Attack42_WritsOwnVariablesNeverReachARun) {
  CreateRun request = Request();
  request.env = {{"WRIT_MASTER_KEY", "secret", EnvSource::kCaller}};
  const auto result = plane().Run(std::move(request), sink_, control_);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::kInvalid);
}

}  // namespace
}  // namespace writ::api
