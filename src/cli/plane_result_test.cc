#include "cli/plane_result.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "canon/vectors_for_test.h"
#include "cli/run_report.h"
#include "contract/event.h"
#include "contract/extension.h"

namespace writ::cli {
namespace {

using canon::Json;
using testing::HasSubstr;

client::Evidence Recorded() {
  client::Evidence evidence;
  evidence.bundle = test::VectorFile("bundle-valid.json");
  return evidence;
}

/// The recorded bundle with a receipt of ours; signatures do not matter here.
client::Evidence Ours(const contract::ReceiptExtension& extension, std::string_view status) {
  client::Evidence evidence = Recorded();
  Json receipt = *evidence.bundle.Find("receipt");
  receipt.Set("writ", contract::ToJson(extension)).Set("status", status);
  evidence.bundle.Set("receipt", receipt);
  return evidence;
}

TEST(PlaneResult, ExitStatusesAreThoseOfALocalRun) {
  struct Case {
    const char* how;
    std::optional<std::uint64_t> code;
    const char* status;
    int exit;
  };
  const Case cases[] = {{"exited", 0, "completed", 0},          {"exited", 3, "failed", 3},
                        {"signal", 15, "failed", 143},          {"time_limit", std::nullopt, "failed", 124},
                        {"cpu_limit", std::nullopt, "failed", 124}, {"memory_limit", std::nullopt, "failed", 137},
                        {"cancelled", std::nullopt, "cancelled", 130}, {"not_started", 127, "failed", 127},
                        {"not_started", std::nullopt, "failed", 125}, {"interrupted", std::nullopt, "failed", 125}};
  for (const auto& c : cases) {
    SCOPED_TRACE(c.how);
    contract::ReceiptExtension extension;
    extension.tier = "process";
    extension.probe = std::string(64, 'a');
    extension.termination = {c.how, c.code, std::nullopt};
    const api::RunResult result = ResultOf(Ours(extension, c.status));
    EXPECT_EQ(result.exit_code, c.exit);
    EXPECT_EQ(result.status, c.status);
  }
}

TEST(PlaneResult, ARecordedRunOfTheOriginal) {
  const api::RunResult result = ResultOf(Recorded());
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.outcome.how, isolation::Termination::kExited);
  EXPECT_FALSE(result.run_id.empty());
  const std::string summary = RenderSummary(result, Limits{}, 200, " --plane work");
  EXPECT_THAT(summary, HasSubstr("writ verify " + result.run_id + " --plane work"));
}

TEST(PlaneResult, EvidenceThatDoesNotHoldIsNoResult) {
  client::Evidence evidence = Recorded();
  evidence.verification.problems = {"event chain broken at seq 1: event hash mismatch"};
  const api::RunResult result = ResultOf(evidence);
  EXPECT_EQ(result.exit_code, 125);
  EXPECT_THAT(result.problem, HasSubstr("does not hold"));
  EXPECT_THAT(EvidenceLines(evidence), testing::ElementsAre(HasSubstr("event chain broken")));
}

TEST(PlaneResult, NonsenseIsNoCrash) {
  for (const char* text : {"null", "{}", R"({"contract":1,"receipt":[],"events":{}})", R"({"receipt":{"writ":{"v":9}},"events":[1,{"event":{"type":"file.changed"}}]})"}) {
    client::Evidence evidence;
    evidence.bundle = canon::Parse(text, canon::Mode::kWire).value();
    evidence.verification.problems = {"bundle is malformed: x"};
    EXPECT_EQ(ResultOf(evidence).exit_code, 125);
  }
}

TEST(PlaneResult, DangerousChangesAreMarked) {
  client::Evidence evidence = Recorded();
  Json events = *evidence.bundle.Find("events");
  events.Append(Json::Of({{"event", contract::event::FileChanged(".git/hooks/pre-commit", std::string(64, 'a'))}}));
  evidence.bundle.Set("events", events);
  const api::RunResult result = ResultOf(evidence);
  ASSERT_FALSE(result.changes.empty());
  EXPECT_NE(result.changes.back().danger, "");
}

}  // namespace
}  // namespace writ::cli
