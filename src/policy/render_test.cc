#include "policy/render.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "policy/evaluate.h"
#include "policy/load.h"

namespace writ::policy {
namespace {

TEST(RenderPolicy, SaysWhoMayDoWhat) {
  const std::string text = RenderText(LocalDefault());
  EXPECT_THAT(text, testing::HasSubstr("Policy local-default from local-default\n"));
  EXPECT_THAT(text, testing::HasSubstr("  agent kinds        command\n"));
  EXPECT_THAT(text, testing::HasSubstr("  hosts              those the request names\n"));
  EXPECT_THAT(text, testing::HasSubstr("wall-time 10m  cpu-time 10m  cpus 2  memory 1G  pids 256  files 1024\n"));
  EXPECT_LE(std::ranges::count(text, '\n'), 24);
}

TEST(RenderPolicy, SaysWhenNothingIsAllowed) {
  const auto policy = Load("version: 1\nidentities: []\n", "p");
  ASSERT_TRUE(policy) << policy.error().what;
  const std::string text = RenderText(*policy);
  EXPECT_THAT(text, testing::HasSubstr("none: every run is denied"));
  EXPECT_THAT(text, testing::HasSubstr("nobody: every run is denied"));
  EXPECT_THAT(text, testing::HasSubstr("Warnings\n"));
}

TEST(RenderPolicy, ListsAreCutAndNamesEscaped) {
  Policy policy = LocalDefault();
  policy.source = "a\x1b[31m\n";
  for (int i = 0; i < 100; ++i) policy.pools.push_back(fmt::format("p{}\r", i));
  policy.identities.emplace();
  for (int i = 0; i < 100; ++i) policy.identities->push_back({fmt::format("id{}\x1b", i), {"*"}});
  const std::string text = RenderText(policy);
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_EQ(text.find('\r'), std::string::npos);
  EXPECT_THAT(text, testing::HasSubstr("and 81 more"));
  EXPECT_THAT(text, testing::HasSubstr("and 80 more"));
  EXPECT_LE(std::ranges::count(text, '\n'), 60);
}

TEST(RenderPolicy, JsonHasTheHashedObject) {
  const Policy policy = LocalDefault();
  const canon::Json json = RenderJson(policy);
  EXPECT_EQ(*json.FindString("policyHash"), policy.hash);
  EXPECT_EQ(*json.Find("policy"), policy.json);
}

TEST(RenderDecision, DenialsNameReasonAndGrant) {
  Request request;
  request.agent_kind = "co\x1b[2Jdex";
  request.pool = "local";
  const Decision decision = Evaluate(LocalDefault(), request);
  EXPECT_EQ(RenderText(decision),
            "denied by policy\n"
            "  agent kind \"co\\u{1b}[2Jdex\" is not allowed\n"
            "to allow it, change the policy:\n"
            "  add \"co\\u{1b}[2Jdex\" to agents.allow\n");
  const canon::Json json = RenderJson(decision);
  EXPECT_EQ(*json.FindString("decision"), "deny");
  EXPECT_EQ(json.Find("reasons")->array().size(), 1u);
}

TEST(RenderDecision, AskNamesWhoMayAnswer) {
  const auto policy = Load(
      "version: 1\nrunners: {allowPools: [local]}\nagents: {allow: [command]}\ntiers: {allow: [process]}\n"
      "consent: [{when: any-run, approvers: [alice, bob], required: 2, expires: 5m}]\n",
      "p");
  ASSERT_TRUE(policy) << policy.error().what;
  Request request;
  request.agent_kind = "command";
  request.pool = "local";
  const Decision decision = Evaluate(*policy, request);
  EXPECT_EQ(RenderText(decision), "needs approval\n  any-run\n    2 of: alice, bob\n");
  EXPECT_EQ(RenderJson(decision).Find("consent")->array()[0].Find("expiresMs")->number(), 300000);
  EXPECT_THAT(RenderText(*policy), testing::HasSubstr("any run: 2 of alice, bob, within 5m"));
}

}  // namespace
}  // namespace writ::policy
