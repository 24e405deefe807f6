#include "client/plane_answers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace writ::client {
namespace {

using canon::Json;
using testing::ElementsAre;

Json Parsed(const std::string& text) { return canon::Parse(text, canon::Mode::kWire).value(); }

TEST(PlaneAnswers, ReadsWhatTheProtocolSays) {
  const auto submitted =
      DecodeSubmitted(Parsed(R"({"runId":"run_1","status":"awaiting_approval","consentRequirements":["any-run"],"extra":1})"));
  ASSERT_TRUE(submitted) << submitted.error().what;
  EXPECT_EQ(submitted->run_id, "run_1");
  EXPECT_THAT(submitted->consent_requirements, ElementsAre("any-run"));
  const auto view = DecodeRunView(
      Parsed(R"({"runId":"run_1","status":"running","createdAt":"x","updatedAt":"y","consentRequirements":[],"events":[{"event":{"type":"a"}}]})"),
      "run_1");
  ASSERT_TRUE(view) << view.error().what;
  EXPECT_EQ(view->events.size(), 1u);
  const auto page = DecodeRuns(Parsed(
      R"({"runs":[{"runId":"run_1","status":"created","agentKind":"command","pool":"p","prompt":"x","requestedBy":{"kind":"human","id":"a"},)"
      R"("createdAt":"","updatedAt":"","consentRequirements":[],"hasReceipt":false}],"nextCursor":"c"})"));
  ASSERT_TRUE(page) << page.error().what;
  EXPECT_EQ(page->next_cursor, "c");
  EXPECT_EQ(DecodeDryRun(Parsed(R"({"policyDecision":{"decision":"ask","reason":"r","consentRequirements":["x"]}})"))->ask, true);
  EXPECT_THAT(DeniedReasons(Parsed(R"({"error":"e","code":"policy_denied","reasons":["a","b",3]})")), ElementsAre("a", "b"));
  EXPECT_THAT(DeniedReasons(Parsed(R"({"error":"e","code":"forbidden","reasons":["a"]})")), ElementsAre());
  EXPECT_EQ(DecodeToken(Parsed(R"({"principalId":"p","name":"n","role":"admin","token":"0123456789abcdef"})"))->name, "n");
}

/// Attack 35: what a plane calls a run id must not become a path, a second header or a terminal command.
TEST(PlaneAnswers, Attack35IdsAndTokensThatAreSomethingElse) {
  for (const char* id : {"", "../../etc/passwd", "run_1/../x", "a b", "run_\\u001b[2J", "run_1\\n", "run.1", "\\ud83d\\ude00"}) {
    const std::string text = std::string(R"({"status":"created","runId":")") + id + "\"}";
    const auto submitted = DecodeSubmitted(Parsed(text));
    ASSERT_FALSE(submitted) << text;
    EXPECT_EQ(submitted.error().code, Code::kCorrupt);
    EXPECT_EQ(submitted.error().what.find('\x1b'), std::string::npos);
  }
  EXPECT_FALSE(DecodeSubmitted(Parsed(R"({"status":"created","runId":")" + std::string(129, 'a') + "\"}")));
  for (const char* token : {"short", "0123456789abcdef\\r\\nX: y", "0123456789 abcdef"}) {
    EXPECT_FALSE(DecodeToken(Parsed(std::string(R"({"token":")") + token + "\"}"))) << token;
  }
  EXPECT_FALSE(DecodeRunView(Parsed(R"({"runId":"run_2","status":"running","createdAt":"","updatedAt":"","events":[]})"), "run_1"))
      << "an answer about another run";
}

TEST(PlaneAnswers, WrongTypesAndWordsAreRefused) {
  for (const char* text : {"null", "[]", "1", "{}", R"({"runId":1,"status":"created"})", R"({"runId":"run_1"})",
                           R"({"runId":"run_1","status":"finished"})", R"({"runId":"run_1","status":"created","consentRequirements":"x"})",
                           R"({"runId":"run_1","status":"created","consentRequirements":[1]})"}) {
    EXPECT_FALSE(DecodeSubmitted(Parsed(text))) << text;
    EXPECT_FALSE(DecodeRunView(Parsed(text), "run_1")) << text;
  }
  for (const char* text : {"{}", R"({"policyDecision":"allow"})", R"({"policyDecision":{"decision":"maybe","reason":""}})"}) {
    EXPECT_FALSE(DecodeDryRun(Parsed(text))) << text;
  }
  for (const char* text : {"{}", R"({"runs":{}})", R"({"runs":[1]})", R"({"runs":[{"runId":"run_1"}]})"}) {
    EXPECT_FALSE(DecodeRuns(Parsed(text))) << text;
    EXPECT_FALSE(DecodePrincipals(Parsed(text))) << text;
    EXPECT_FALSE(DecodeRunners(Parsed(text))) << text;
  }
}

}  // namespace
}  // namespace writ::client
