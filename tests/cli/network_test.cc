// The network on the command line of the real program: options, contract, policy, what other commands say of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness.h"
#include "loopback_for_test.h"

namespace writ::cli_test {
namespace {

using testing::HasSubstr;
using testing::Not;

const canon::Json* At(const canon::Json& json, std::initializer_list<std::string_view> path) {
  const canon::Json* here = &json;
  for (const auto name : path)
    if (here != nullptr) here = here->Find(name);
  return here;
}

TEST(Network, DryRunSaysWhatItCouldReach) {
  const Machine machine;
  const Ended closed = machine.Run({"run", "--dry-run", "--", "true"});
  EXPECT_THAT(closed.out, HasSubstr("network  none"));
  const Ended open = machine.Run({"run", "--dry-run", "--net", "open", "--net", "10.0.0.6:5432", "--net-budget", "1M", "--", "true"});
  EXPECT_THAT(open.out, HasSubstr("every public host"));
  EXPECT_THAT(open.out, HasSubstr("10.0.0.6:5432"));
  EXPECT_THAT(open.out, HasSubstr("at most 1M"));
  const auto json = machine.Json({"run", "--dry-run", "--json", "--net", "One.test", "--net-rule", "api.test:443 GET,HEAD /v1/**", "--", "true"});
  ASSERT_NE(At(json, {"contract", "writ", "egress"}), nullptr);
  EXPECT_EQ(canon::Compact(*At(json, {"contract", "writ", "egress"})), R"({"rules":["One.test","api.test:443 GET,HEAD /v1/**"]})");
  EXPECT_EQ(canon::Compact(*At(json, {"contract", "network"})), R"({"defaultDeny":true,"allowHosts":["one.test"]})");
}

TEST(Network, BadRulesAndContradictionsAreRefusedBeforeAnything) {
  const Machine machine;
  const struct {
    std::vector<std::string> options;
    const char* says;
  } cases[] = {
      {{"--net", "https://a.test/"}, "is a URL"},
      {{"--net", "a.test:0"}, "1..65535"},
      {{"--net", "10.0.0.1/8"}, "10.0.0.0/8"},
      {{"--net", "*"}, "--net open"},
      {{"--net-rule", "a.test GET"}, "METHOD"},
      {{"--net", "none", "--net", "a.test"}, "--net none"},
      {{"--net-budget", "1M"}, "--net-budget"},
      {{"--net", "a.test", "--net-budget", "0"}, "--net-budget"},
      {{"--net", "a\x1b[2J.test"}, "egress rule"},
  };
  for (const auto& c : cases) {
    std::vector<std::string> arguments{"run"};
    arguments.insert(arguments.end(), c.options.begin(), c.options.end());
    arguments.insert(arguments.end(), {"--", "true"});
    const Ended refused = machine.Run(arguments);
    EXPECT_EQ(refused.status, 125) << c.options.back();
    EXPECT_THAT(refused.err, HasSubstr(c.says));
    EXPECT_THAT(refused.err, Not(HasSubstr("\x1b")));
  }
  EXPECT_EQ(machine.Json({"list", "--json"}).Find("runs")->array().size(), 0u);
}

TEST(Network, APolicyFileIsTheCeiling) {
  const Machine machine;
  const std::string policy = machine.Write("policy.yaml",
                                           "version: 1\nrunners: {allowPools: [local]}\nagents: {allow: [command]}\ntiers: {allow: [process]}\n"
                                           "network: {allowHosts: [plain.test]}\negress: {rules: ['*.ok.test:443'], budget: 1M}\n");
  EXPECT_EQ(machine.Run({"policy", "check", policy}).status, 0);
  EXPECT_THAT(machine.Run({"policy", "show", "--policy", policy}).out, HasSubstr("*.ok.test:443"));
  const auto dry = [&](std::vector<std::string> network) {
    std::vector<std::string> arguments{"run", "--dry-run", "--policy", policy};
    arguments.insert(arguments.end(), network.begin(), network.end());
    arguments.insert(arguments.end(), {"--", "true"});
    return machine.Run(arguments);
  };
  EXPECT_THAT(dry({"--net", "plain.test:80", "--net", "a.ok.test:443", "--net-budget", "1M"}).out, HasSubstr("Decision: allow"));
  const Ended over = dry({"--net", "ok.test:443", "--net-budget", "2M"});
  EXPECT_EQ(over.status, 122);
  EXPECT_THAT(over.out, HasSubstr("add \"ok.test:443\" to egress.rules"));
  EXPECT_THAT(over.out, HasSubstr("raise egress.budget"));
  EXPECT_EQ(dry({"--net", "open", "--net-budget", "1M"}).status, 122);
  const std::string bad = machine.Write("bad.yaml", "version: 1\nrunners: {allowPools: [local]}\nagents: {allow: [command]}\ntiers: {allow: [process]}\n"
                                                    "egress: {rules: ['https://x/']}\n");
  const Ended refused = machine.Run({"policy", "check", bad});
  EXPECT_NE(refused.status, 0);
  EXPECT_THAT(refused.out + refused.err, HasSubstr("is a URL"));
}

TEST(Network, WhatWasAskedIsSignedAndShown) {
  WRIT_NEEDS_RUNS();
  const Machine machine;
  const Ended run = machine.Run({"run", "-q", "--net", "a.test:443", "--net-budget", "5M", "--", "sh", "-c", "echo $https_proxy"});
  EXPECT_EQ(run.status, 0) << run.err;
  EXPECT_EQ(run.out, "http://127.0.0.1:3128\n");
  const std::string id = machine.NewestRun();
  EXPECT_THAT(machine.Run({"show", id}).out, HasSubstr("a.test:443"));
  EXPECT_THAT(machine.Run({"verify", id}).out, HasSubstr("may connect to: a.test:443"));
  const auto json = machine.Json({"show", "--json", id});
  EXPECT_EQ(canon::Compact(*At(json, {"contract", "writ", "egress"})), R"({"rules":["a.test:443"],"budgetBytes":5242880})");
  EXPECT_EQ(machine.Run({"net", id, "list"}).out, "a.test:443\n");
  EXPECT_THAT(machine.Run({"explain", id}).out, HasSubstr("was refused nothing"));
  EXPECT_EQ(machine.Run({"net", id, "add", "b.test"}).status, 1) << "it has ended";
  EXPECT_EQ(machine.Run({"net", id, "set", "b.test"}).status, 2);
  EXPECT_EQ(machine.Run({"net", id, "add"}).status, 2);

  const Ended plain = machine.Run({"run", "-q", "--", "sh", "-c", "env"});
  EXPECT_THAT(plain.out, Not(HasSubstr("proxy")));
}

TEST(Network, LearnPrintsTheLeastCommand) {
  WRIT_NEEDS_RUNS();
  const Machine machine;
  const Ended learned = machine.Run({"learn", "-q", "--memory", "64M", "--", "sh", "-c", "echo it ran"});
  EXPECT_EQ(learned.status, 0) << learned.err;
  EXPECT_EQ(learned.out, "it ran\n");
  EXPECT_THAT(learned.err, HasSubstr("writ run --memory 64M -- sh -c 'echo it ran'"));
  const auto json = machine.Json({"learn", "--json", "--", "true"});
  EXPECT_EQ(canon::Compact(*At(json, {"learned", "rules"})), "[]");
  EXPECT_EQ(Member(*json.Find("learned"), "command"), "writ run -- true");
  const auto shown = machine.Json({"show", "--json", machine.NewestRun()});
  EXPECT_EQ(canon::Compact(*At(shown, {"contract", "writ", "egress"})), R"({"rules":[],"open":true})") << "the evidence says it was open";
  EXPECT_EQ(machine.Run({"learn", "--net", "none", "--", "true"}).status, 125);
}

TEST(Network, RefusalsAreExplainedAndShown) {
  WRIT_NEEDS_RUNS();
  const Machine machine;
  const Ended run = machine.Run({"run", "-q", "--memory", "128M", "--net", "granted.test:443", "--", "bash", "-c", kGet + "get refused.test; get refused.test; get 10.0.0.1:8080"});
  EXPECT_EQ(run.status, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("403"));
  const std::string id = machine.NewestRun();
  const Ended explained = machine.Run({"explain", id});
  EXPECT_THAT(explained.out, HasSubstr("refused.test:80"));
  EXPECT_THAT(explained.out, HasSubstr("2 times"));
  EXPECT_THAT(explained.out, HasSubstr("would be allowed by: --net refused.test:80"));
  EXPECT_THAT(explained.out, HasSubstr("writ run --memory 128M --net granted.test:443 --net refused.test:80 --net 10.0.0.1:8080 -- bash -c "));
  const auto json = machine.Json({"explain", "--json", id});
  EXPECT_EQ(canon::Compact(*json.Find("rules")), R"(["granted.test:443","refused.test:80","10.0.0.1:8080"])");
  EXPECT_THAT(machine.Run({"show", id}).out, HasSubstr("refused.test:80"));
  EXPECT_THAT(machine.Run({"verify", id}).out, HasSubstr("refused.test:80 (2x)"));
}

TEST(Network, AHeadThatDoesNotFitIntoTheBudgetEndsTheRun) {
  WRIT_NEEDS_RUNS();
  const Machine machine;
  const Server server;
  const auto run = [&](const char* budget) {
    return machine.Json({"run", "--json", "--timeout", "30s", "--net", server.Address(), "--net-budget", budget, "--", "bash", "-c", kGet + "get " + server.Address()});
  };
  EXPECT_EQ(Member(*run("200").Find("termination"), "how"), "egress_budget");
  EXPECT_EQ(Member(*run("20").Find("termination"), "how"), "egress_budget");
  EXPECT_EQ(Member(*run("1M").Find("termination"), "how"), "exited");
}

TEST(Network, LearnFindsWhatWasUsed) {
  WRIT_NEEDS_RUNS();
  const Machine machine;
  const Server server;
  const auto json = machine.Json({"learn", "--json", "--net", server.Address(), "--", "bash", "-c", kGet + "get " + server.Address() + "; get 127.0.0.1:1"});
  ASSERT_NE(json.Find("learned"), nullptr);
  const auto& learned = *json.Find("learned");
  EXPECT_EQ(canon::Compact(*learned.Find("rules")), fmt::format("[\"{}\"]", server.Address()));
  EXPECT_THAT(canon::Compact(*learned.Find("refused")), HasSubstr("127.0.0.1:1"));
  EXPECT_THAT(Member(learned, "command"), HasSubstr("writ run --net " + server.Address() + " -- bash -c"));
  EXPECT_THAT(Member(*json.Find("stdout"), "data"), HasSubstr("200 OK"));
}

TEST(Network, RulesOfARunningJobChange) {
  WRIT_NEEDS_RUNS();
  const Machine machine;
  const Server server;
  const std::string policy = machine.Write("policy.yaml", "version: 1\nrunners: {allowPools: [local]}\nagents: {allow: [command]}\ntiers: {allow: [process]}\n"
                                                          "egress: {rules: ['127.0.0.1', '*.test']}\n");
  Process run = machine.Start({"run", "-q", "--policy", policy, "--net", "first.test:443", "--", "bash", "-c",
                               kGet + "seen=; while :; do now=$(get " + server.Address() + "); [ \"$now\" = \"$seen\" ] || echo \"$now\"; seen=$now; sleep 0.05; done"});
  ASSERT_TRUE(run.WaitForOutput("403"));
  const std::string id = machine.NewestRun();
  const Ended denied = machine.Run({"net", id, "add", "10.0.0.1:80"});
  EXPECT_EQ(denied.status, 1);
  EXPECT_THAT(denied.err, HasSubstr("add \"10.0.0.1:80\" to egress.rules"));
  EXPECT_EQ(machine.Run({"net", id, "add", "https://x/"}).status, 1);
  const Ended added = machine.Run({"net", id, "add", server.Address()});
  EXPECT_EQ(added.status, 0) << added.err;
  EXPECT_EQ(added.out, "first.test:443\n" + server.Address() + "\n");
  ASSERT_TRUE(run.WaitForOutput("200 OK"));
  EXPECT_EQ(machine.Run({"net", id, "list"}).out, added.out);
  EXPECT_EQ(machine.Run({"net", id, "remove", server.Address()}).out, "first.test:443\n");
  EXPECT_EQ(machine.Run({"kill", id}).status, 0);
  const Ended ended = run.Wait();
  const std::size_t reached = ended.out.rfind("200 OK"), refused = ended.out.rfind("403");
  EXPECT_TRUE(reached != std::string::npos && refused != std::string::npos);
  const auto bundle = machine.Json({"bundle", "--json", id});
  std::string changes;
  for (const auto& entry : bundle.Find("events")->array()) {
    const canon::Json* event = entry.Find("event");
    if (Member(*event, "type") == "writ.network.changed") changes += Member(*event->Find("writ"), "change") + " " + Member(*event->Find("writ"), "rule") + "\n";
  }
  EXPECT_EQ(changes, fmt::format("add {0}\nremove {0}\n", server.Address()));
  EXPECT_EQ(machine.Run({"verify", id}).status, 0);
  const auto decisions = machine.Json({"decisions", "--json"});
  EXPECT_TRUE(decisions.Find("ok")->boolean());
  EXPECT_THAT(canon::Compact(decisions), HasSubstr("10.0.0.1:80"));
}

}  // namespace
}  // namespace writ::cli_test
