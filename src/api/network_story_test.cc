#include "api/network_story.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/repeat_command.h"

namespace writ::api {
namespace {

using canon::Json;
using testing::ElementsAre;
using testing::IsEmpty;

Json Contract(Json rules, bool open = false) {
  Json egress = Json::Of({{"rules", std::move(rules)}});
  if (open) egress.Set("open", true);
  return Json::Of({{"execution", Json::Of({{"kind", "argv"}, {"command", "fetch"}, {"args", Json::Array{"it's", "-v"}}})},
                   {"writ", Json::Of({{"v", 1}, {"egress", std::move(egress)}})}});
}

Json Attempt(std::string host, int port, bool allowed, std::string grant = "", std::string via = "connect", Json more = Json::MakeObject()) {
  Json writ = Json::Of({{"v", 1}, {"port", port}, {"via", via}, {"rule", allowed ? "egress.open" : "default"}, {"reason", "because"}});
  if (!grant.empty()) writ.Set("grant", grant);
  for (const auto& [name, value] : more.object()) writ.Set(name, value);
  return Json::Of({{"event", Json::Of({{"type", "network.connected"}, {"host", host}, {"decision", allowed ? "allowed" : "blocked"}, {"writ", writ}})}});
}

TEST(NetworkStory, RefusedAttemptsAreGrouped) {
  const auto story = TellNetwork(Contract(Json::Array{"a.test:443"}),
                                 {Attempt("b.test", 443, false, "--net b.test:443"), Attempt("a.test", 443, true), Attempt("b.test", 443, false, "--net b.test:443"),
                                  Attempt("api.test", 443, false, "--net-rule 'api.test:443 DELETE /v1'", "http", Json::Of({{"method", "DELETE"}, {"path", "/v1"}}))});
  ASSERT_EQ(story.refused.size(), 2u);
  EXPECT_EQ(story.refused[0].target, "b.test:443");
  EXPECT_EQ(story.refused[0].count, 2u);
  EXPECT_EQ(story.refused[0].grant, "b.test:443");
  EXPECT_EQ(story.refused[1].method, "DELETE");
  EXPECT_EQ(story.refused[1].grant, "api.test:443 DELETE /v1");
  EXPECT_THAT(story.argv, ElementsAre("fetch", "it's", "-v"));
  EXPECT_EQ(RepeatCommand({"--timeout", "5m"}, story.WithGrants(), story.argv),
            "writ run --timeout 5m --net a.test:443 --net b.test:443 --net-rule 'api.test:443 DELETE /v1' -- fetch 'it'\\''s' -v");
}

TEST(NetworkStory, ALookUpIsGrantedWithTheConnection) {
  const auto both = TellNetwork(Contract(Json::MakeArray()), {Attempt("b.test", 0, false, "--net b.test", "dns"), Attempt("b.test", 80, false, "--net b.test:80")});
  EXPECT_THAT(both.WithGrants().rules, ElementsAre("b.test:80"));
  const auto only = TellNetwork(Contract(Json::MakeArray()), {Attempt("b.test", 0, false, "--net b.test", "dns")});
  EXPECT_THAT(only.WithGrants().rules, ElementsAre("b.test"));
  EXPECT_EQ(only.refused[0].target, "b.test");
}

TEST(NetworkStory, WithoutAnyNetworkTheGrantsOpenIt) {
  Json contract = Contract(Json::MakeArray());
  contract.Remove("writ");
  const auto story = TellNetwork(contract, {Attempt("b.test", 443, false, "--net b.test:443")});
  EXPECT_FALSE(story.granted.asked);
  EXPECT_TRUE(story.WithGrants().asked);
}

TEST(NetworkStory, LeastIsWhatWasUsed) {
  const auto story = TellNetwork(Contract(Json::Array{"10.0.0.0/8:5432", "*.wide.test", "lim.test GET /v1/**"}, true),
                                 {Attempt("b.test", 443, true), Attempt("a.test", 80, true), Attempt("b.test", 443, true), Attempt("looked.test", 0, true, "", "dns"),
                                  Attempt("lim.test", 443, true), Attempt("2001:db8::1", 443, true), Attempt("bad host", 1, true),
                                  Json::Of({{"event", Json::Of({{"type", "file.changed"}, {"path", "out.txt"}})}})});
  EXPECT_THAT(story.Least().rules, ElementsAre("10.0.0.0/8:5432", "lim.test GET /v1/**", "[2001:db8::1]:443", "a.test:80", "b.test:443"));
  EXPECT_FALSE(story.Least().open);
  EXPECT_THAT(story.files, ElementsAre("out.txt"));
  EXPECT_EQ(story.used.size(), 5u);
  EXPECT_FALSE(TellNetwork(Contract(Json::MakeArray(), true), {}).Least().asked) << "nothing used, nothing asked";
}

TEST(NetworkStory, HostileMembersAreLeftOut) {
  const auto story = TellNetwork(Json::MakeArray(), {Json(), Json::Of({{"event", 1}}), Json::Of({{"event", Json::Of({{"type", "network.connected"}})}}),
                                                     Attempt("x", 70000, true), Attempt("y.test", 1, false, "--net y.test; rm -rf /"),
                                                     Attempt("z.test", 1, false, "--net-rule '$(reboot)'")});
  EXPECT_THAT(story.used, IsEmpty());
  EXPECT_THAT(story.argv, IsEmpty());
  for (const auto& attempt : story.refused) EXPECT_EQ(attempt.grant, "") << attempt.target;
  EXPECT_FALSE(story.WithGrants().asked);
}

TEST(NetworkStory, GroupsAreBounded) {
  std::vector<Json> entries;
  for (int i = 0; i < 1005; ++i) entries.push_back(Attempt(fmt::format("h{}.test", i), 1, false));
  const auto story = TellNetwork(Contract(Json::MakeArray()), entries);
  EXPECT_EQ(story.refused.size(), kStoryGroupsMax);
  EXPECT_EQ(story.refused_more, 5u);
}

TEST(RepeatCommand, OptionsSayWhatDiffers) {
  CreateRun request;
  request.argv = {"x"};
  EXPECT_THAT(OptionsOf(request), IsEmpty());
  request.workspace = "/a b";
  request.inputs = {{"in.csv", ""}, {"d", "n"}};
  request.outputs = {{"r", true}};
  request.env = {{"A", "1 2", EnvSource::kLiteral}, {"LANG", "secret of the caller", EnvSource::kCaller}};
  request.limits.memory_bytes = 64 << 20;
  request.limits.wall_time = Millis{90'000};
  request.accepted = {{"memory", "rlimit"}};
  EXPECT_THAT(OptionsOf(request), ElementsAre("--workspace", "/a b", "--input", "in.csv", "--input", "d:n", "--output", "r?", "--env",
                                              "A=1 2", "--env", "LANG", "--timeout", "1m30s", "--memory", "64M", "--accept", "memory=rlimit"));
  request.env[0].value = std::string(20'000, 'x');
  EXPECT_THAT(OptionsOf(request), IsEmpty()) << "too long to keep";
  EXPECT_THAT(NetworkOptions({true, true, {"open", "a.test:1", "b.test GET /"}, 5}),
              ElementsAre("--net", "open", "--net-rule", "open", "--net", "a.test:1", "--net-rule", "b.test GET /", "--net-budget", "5"));
}

}  // namespace
}  // namespace writ::api
