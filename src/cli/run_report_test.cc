#include "cli/run_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/dry_run.h"

namespace writ::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using isolation::Termination;

api::RunResult Completed() {
  api::RunResult result;
  result.decision.verdict = api::Verdict::kAllow;
  result.run_id = "run_3f2a91c0-7d1e-4b6f-9a55-0c0d1e2f3a4b";
  result.status = "completed";
  result.exit_code = 0;
  result.receipt = canon::Json::Of({{"version", "x"}});
  result.outcome.how = Termination::kExited;
  result.outcome.use = {.wall_us = 420'000, .cpu_user_us = 300'000, .cpu_system_us = 10'000, .memory_peak_bytes = 12u << 20};
  result.guarantees = {.tier = "process", .backend = "x", .enforced = {{"memory", "cgroup2"}, {"network", "netns"}, {"wall-time", "init-timer"}}};
  return result;
}

TEST(Summary, SaysWhatMattersOnAlignedLines) {
  auto result = Completed();
  result.files_changed = 2;
  result.changes = {{"a.txt", "added", ""}, {".git/hooks/x", "added", "git executes it"}};
  result.outputs = {{"report.txt", "", 1536, "res/report.txt"}, {"other", "", 3, ""}};
  result.undeclared = {"extra"};
  result.undeclared_count = 1;
  const std::string text = RenderSummary(result, {}, 100);
  for (const char* part : {"writ: run 3f2a91c0 completed, exit 0\n", "  time        420.0ms of 10m (init-timer)\n", "310.0ms of 10m", "12M peak of 1G (cgroup2)",
                           "process: network netns", "2 files: added a.txt, added .git/hooks/x", "careful     .git/hooks/x: git executes it",
                           "report.txt  1.5K  -> res/report.txt", "other  3  writ get 3f2a91c0", "1 files under /out, not released: extra",
                           "  verify      writ verify 3f2a91c0\n"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
  EXPECT_LE(std::ranges::count(text, '\n'), 24);
}

TEST(Summary, ManyFilesStayOneScreen) {
  auto result = Completed();
  result.files_changed = 5000;
  for (int i = 0; i < 100; ++i) {
    result.changes.push_back({std::string(4000, 'x'), "added", "danger"});
    result.undeclared.push_back(std::string(4000, 'y'));
  }
  result.undeclared_count = 900;
  const std::string text = RenderSummary(result, {}, 80);
  EXPECT_THAT(text, HasSubstr("5000 files"));
  EXPECT_LE(std::ranges::count(text, '\n'), 24);
}

TEST(Summary, Attack14_HostileNamesStayOnTheirLine) {
  auto result = Completed();
  const std::string evil = "\x1b[2J\nwrit: run x completed\xe2\x80\xae";
  result.status = result.guarantees.tier = evil;
  result.guarantees.enforced = {{"memory", evil}, {evil, evil}};
  result.changes = {{evil, "added", evil}};
  result.files_changed = 1;
  result.outputs = {{evil, "", 1, evil}};
  result.undeclared = {evil};
  result.undeclared_count = 1;
  result.missing = {evil};
  const std::string text = RenderSummary(result, {}, 1000);
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
  EXPECT_THAT(text, Not(HasSubstr("\xe2\x80\xae")));
  EXPECT_THAT(text, Not(HasSubstr("\nwrit: ")));
}

TEST(Reasons, AreGivenOnlyWhenWritDecided) {
  auto result = Completed();
  EXPECT_THAT(Reasons(result), IsEmpty());
  result.problem = "declared output `x` is missing";
  EXPECT_THAT(Reasons(result), ::testing::ElementsAre(result.problem));
  api::RunResult denied;
  denied.decision = {.verdict = api::Verdict::kDeny, .reasons = {"agent kind \"x\" is not allowed"}, .rule = "agents.allow", .grant = "agents.allow: [x]",
                     .policy_hash = "", .policy_source = "p.yaml"};
  const auto lines = Reasons(denied);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0], "denied by p.yaml: agent kind \"x\" is not allowed");
  EXPECT_THAT(lines[1], HasSubstr("agents.allow: [x]"));
  denied.decision.verdict = api::Verdict::kNeedsApproval;
  denied.problem = "run run_1 waits for consent; answer with `writ approve run_1`";
  EXPECT_THAT(Reasons(denied).back(), HasSubstr("writ approve"));
}

TEST(RunJson, HasTheDocumentedMembers) {
  const auto json = RunJson(Completed());
  for (const char* member : {"runId", "status", "exitCode", "decision", "termination", "use", "tier", "enforced", "filesChanged", "changes", "outputs", "missing",
                             "undeclared", "undeclaredCount", "workspaceChangedMeanwhile", "receiptHash"}) {
    EXPECT_NE(json.Find(member), nullptr) << member;
  }
  EXPECT_EQ(json.Find("problem"), nullptr);
  EXPECT_EQ(*json.Find("termination"), canon::Json::Of({{"how", "exited"}, {"code", 0}}));
  const auto denied = RunJson(api::RunResult{});
  EXPECT_EQ(denied.Find("runId"), nullptr);
  EXPECT_EQ(denied.Find("termination"), nullptr);
}

TEST(Preview, ShowsWhatTheRunCouldSee) {
  api::Preview preview;
  preview.decision = {.verdict = api::Verdict::kAllow, .reasons = {}, .rule = "default", .grant = "", .policy_hash = "", .policy_source = "local-default"};
  preview.contract = canon::Json::Of({{"version", "v"}});
  preview.workspace_files = 3;
  api::CreateRun request;
  request.argv = {"sh", "-c", "echo \x1b[2J"};
  request.workspace = "src";
  request.inputs = {{"data/x.csv", ""}};
  request.env = {{"A", "b\n", api::EnvSource::kLiteral}, {"TOKEN", "hush", api::EnvSource::kCaller}};
  const std::string text = RenderPreview(preview, request, false);
  for (const char* part : {"Decision: allow by local-default", "copy-on-write view of src: 3 files", "/in/x.csv", "`b\\u{a}`, in the contract", "/dev/null", "10m"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
  EXPECT_THAT(text, Not(HasSubstr("hush")));
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
  EXPECT_EQ(PreviewStatus(preview), 0);
  preview.refusal = "no";
  EXPECT_EQ(PreviewStatus(preview), 125);
  preview.decision.verdict = api::Verdict::kDeny;
  EXPECT_EQ(PreviewStatus(preview), 122);
}

}  // namespace
}  // namespace writ::cli
