#include <gmock/gmock.h>

#include "api/plane/run_calls_for_test.h"
#include "contract/hash.h"
#include "sys/file.h"

namespace writ::api {
namespace {

using canon::Json;
using testing::HasSubstr;
using testing::StartsWith;

class RequestCalls : public PlaneCallsTest {
 protected:
  Json With(const std::string& name, Json value) {
    Json request = Request();
    request.Set(name, std::move(value));
    return request;
  }
  static Json Hosts(bool deny, std::initializer_list<const char*> names) {
    Json list = Json::MakeArray();
    for (const char* name : names) list.Append(name);
    return Json::Of({{"defaultDeny", deny}, {"allowHosts", std::move(list)}});
  }
};

const char* kExtended = R"({"v":1,"tiers":{"allow":["process","wasm"]},"limits":{"memoryBytes":1073741824,"wallTimeMs":600000}})";

TEST_F(RequestCalls, EveryMemberThatIsWrongIsAnIssue) {
  Start(PolicyWith(""));
  struct Case {
    const char* path;
    Json request;
  };
  Json no_prompt = Request();
  no_prompt.Remove("prompt");
  const Json workspace = *Request().Find("workspace");
  const auto file = [&](const char* path) {
    Json changed = workspace;
    changed.Set("untrackedFiles", Json(Json::Array{Json::Of({{"path", path}, {"hash", std::string(64, '2')}, {"bytes", 1}})}));
    return changed;
  };
  Json upper = workspace;
  upper.Set("bundleHash", std::string(64, 'A'));
  const Case cases[] = {
      {"request.requestedBy", With("requestedBy", "alice")},
      {"request.requestedBy.kind", With("requestedBy", Json::Of({{"kind", "robot"}, {"id", "x"}}))},
      {"request.agentKind", With("agentKind", "")},
      {"request.agentVersion", With("agentVersion", 3)},
      {"request.prompt", no_prompt},
      {"request.prompt", With("prompt", std::string(1000001, 'a'))},
      {"request.pool", With("pool", "a b")},
      {"request.secretNames.1", With("secretNames", Json(Json::Array{"TOK", "a-b"}))},
      {"request.secretNames", With("secretNames", Json(Json::Array(257, Json("A"))))},
      {"request.workspace.bundleHash", With("workspace", upper)},
      {"request.workspace.untrackedFiles.0", With("workspace", file("../x"))},
      {"request.network.allowHosts.0", With("network", Hosts(true, {"x:1"}))},
      {"request.network.defaultDeny", With("network", Json::Of({{"allowHosts", Json::MakeArray()}}))},
      {"request.budget.maxDurationMin", With("budget", Json::Of({{"maxDurationMin", 0}}))},
      {"request.disclosure", With("disclosure", "all")},
      {"request.execution", With("execution", Json::Of({{"kind", "shell"}, {"script", "x"}, {"bogus", 1}}))},
      {"request.execution.env", With("execution", Json::Of({{"kind", "shell"}, {"script", "x"}, {"env", Json::Of({{"x", 1}})}}))},
      {"request.isolation", With("isolation", "vm")},
      {"request.continuation.tier", With("continuation", Json::Of({{"envelopeHash", std::string(64, '1')}, {"checkpointId", "c"}, {"tier", "full"}}))},
      {"request.continuation.envelopeHash", With("continuation", Json::Of({{"envelopeHash", "x"}, {"checkpointId", "c"}, {"tier", "workspace"}}))},
      {"request.continuation.checkpointId", With("continuation", Json::Of({{"envelopeHash", std::string(64, '1')}, {"checkpointId", ""}, {"tier", "workspace"}}))},
      {"request.writ.v", With("writ", Json::Of({{"v", 2}}))},
      {"request.writ", With("writ", Json::Of({{"v", 1}, {"bogus", 1}}))},
      {"request.writ.limits.memoryBytes", With("writ", Json::Of({{"v", 1}, {"limits", Json::Of({{"memoryBytes", 0}})}}))},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.path);
    const Got got = Submit(c.request);
    EXPECT_EQ(got.status, 400) << got.text.substr(0, 300);
    const Json* issues = got.body.Find("issues");
    ASSERT_NE(issues, nullptr) << got.text.substr(0, 300);
    ASSERT_EQ(issues->array().size(), 1u);
    EXPECT_THAT(issues->array()[0].string(), StartsWith(std::string(c.path) + ": "));
    EXPECT_THAT(std::string(got.error()), StartsWith("invalid request: "));
  }
  Json both = With("pool", "a b");
  both.Set("prompt", "");
  EXPECT_EQ(Submit(both).body.Find("issues")->array().size(), 2u);
  EXPECT_THAT(std::string(Call("POST", "/v1/runs", "adm", Json::MakeObject()).error()), StartsWith("invalid request: request: "));
  EXPECT_THAT(std::string(Call("POST", "/v1/runs", "adm", Json::MakeArray()).error()), StartsWith("invalid request: (root): "));
  EXPECT_EQ(Call("GET", "/v1/runs", "adm").body.Find("runs")->array().size(), 0u);
}

TEST_F(RequestCalls, DryRunStoresNothingAndEchoesTheExtension) {
  Start(PolicyWith("", kExtended, R"(["a.example"])"));
  Json request = With("network", Hosts(true, {"A.example."}));
  request.Set("writ", Json::Of({{"v", 1}, {"tier", "wasm"}, {"limits", Json::Of({{"memoryBytes", 1048576}})}, {"labels", Json::Of({{"gpu", "a100"}})}}));
  const Got got = Submit(request, "adm", true);
  ASSERT_EQ(got.status, 200) << got.text;
  const Json& writ = *got.body.Find("writ");
  EXPECT_EQ(*writ.FindString("tier"), "wasm");
  EXPECT_EQ(*writ.Find("limits")->Find("memoryBytes"), Json(1048576));
  EXPECT_EQ(*writ.Find("limits")->Find("wallTimeMs"), Json(600000));
  EXPECT_EQ(*writ.Find("labels")->FindString("gpu"), "a100");
  EXPECT_EQ(writ.Find("egress")->Find("rules")->array()[0], Json("a.example"));
  EXPECT_EQ(Call("GET", "/v1/runs", "adm").body.Find("runs")->array().size(), 0u);
  // Denied as it would be.
  request.Set("writ", Json::Of({{"v", 1}, {"limits", Json::Of({{"memoryBytes", 1ull << 40}})}}));
  EXPECT_EQ(Submit(request, "adm", true).Text("code"), "policy_denied");
}

TEST_F(RequestCalls, PlainRequestsHaveNoExtensionUnlessThePolicyHas) {
  Start(PolicyWith(""));
  EXPECT_EQ(Submit(Request(), "adm", true).body.Find("writ"), nullptr);
  Start(PolicyWith("", kExtended));
  const Got got = Submit(Request(), "adm", true);
  ASSERT_EQ(got.status, 200) << got.text;
  EXPECT_EQ(*got.body.Find("writ")->FindString("tier"), "process");
}

TEST_F(RequestCalls, Attack27_HostsOfThePlainRequestNeedTheBudgetToo) {
  Start(PolicyWith("", R"({"v":1,"tiers":{"allow":["process"]},"egress":{"rules":["files.example"],"budgetBytes":1000}})", R"(["files.example"])"));
  Json request = With("network", Hosts(true, {"files.example"}));
  EXPECT_EQ(Submit(request, "adm", true).Text("code"), "policy_denied");
  const auto with = [&](int bytes) {
    request.Set("writ", Json::Of({{"v", 1}, {"egress", Json::Of({{"rules", Json::MakeArray()}, {"budgetBytes", bytes}})}}));
    return Submit(request, "adm", true);
  };
  EXPECT_EQ(with(1001).Text("code"), "policy_denied");
  const Got got = with(1000);
  ASSERT_EQ(got.status, 200) << got.text;
  EXPECT_EQ(*got.body.Find("writ")->Find("egress")->Find("budgetBytes"), Json(1000));
}

TEST_F(RequestCalls, Attack39_ARequestCannotTurnTheNetworkGuardOff) {
  for (const char* writ : {"", kExtended}) {
    Start(PolicyWith("", writ));
    const Got got = Submit(With("network", Hosts(false, {})));
    EXPECT_EQ(got.status, 403) << got.text;
    Json open = Request();
    open.Set("writ", Json::Of({{"v", 1}, {"egress", Json::Of({{"rules", Json::MakeArray()}, {"open", true}})}}));
    EXPECT_EQ(Submit(open).status, 403);
    open.Set("writ", Json::Of({{"v", 1}, {"egress", Json::Of({{"rules", Json(Json::Array{"evil.example:443"})}})}}));
    EXPECT_EQ(Submit(open).status, 403);
    // A star is no name that anything matches, and never becomes a rule that matches everything.
    EXPECT_EQ(Submit(With("network", Hosts(true, {"*.example"}))).status, 403);
  }
}

TEST_F(RequestCalls, IdempotencyKeys) {
  Start(PolicyWith(""));
  const Got first = Submit(Request(), "adm", false, "key-1");
  ASSERT_EQ(first.status, 200) << first.text;
  EXPECT_EQ(Submit(Request(), "adm", false, "key-1").text, first.text);
  EXPECT_EQ(Submit(Request("other"), "adm", false, "key-1").status, 409);
  EXPECT_NE(Submit(Request(), Principal("r1", "requester"), false, "key-1").text, first.text);  // a scope of his own
  EXPECT_EQ(Submit(Request(), "adm", false, "bad key").status, 400);
  EXPECT_EQ(Submit(Request(), "adm", false, std::string(256, 'a')).status, 400);
  Start(PolicyWith(""));
  EXPECT_EQ(Submit(Request(), "adm", false, "key-1").text, first.text);
  clock_.Advance(std::chrono::hours{25});
  EXPECT_NE(Submit(Request(), "adm", false, "key-1").text, first.text);
}

TEST_F(RequestCalls, Attack43_OnePrincipalCannotMakeEveryClaimLookAtThousandsOfNeeds) {
  settings_.kinds_per_tenant_max = 2;
  Start(PolicyWith(""));
  const std::string loud = Principal("loud", "requester"), other = Principal("other", "requester");
  const auto ask = [&](const std::string& zone, const std::string& token) {
    return Submit(With("writ", Json::Of({{"v", 1}, {"labels", Json::Of({{"zone", zone}})}})), token);
  };
  EXPECT_EQ(ask("a", loud).status, 200);
  const auto second = ask("b", loud);
  EXPECT_EQ(second.status, 200);
  EXPECT_EQ(ask("c", loud).status, 429);
  EXPECT_EQ(ask("c", loud).error(), "runs of loud wait for too many different kinds of runners");
  EXPECT_EQ(ask("a", loud).status, 200) << "more of a kind that waits";
  EXPECT_EQ(ask("c", other).status, 200) << "others are not hindered";
  EXPECT_EQ(Answer(std::string(second.Text("runId")), "cancel", "adm").status, 200);
  EXPECT_EQ(ask("c", loud).status, 200);
}

TEST_F(RequestCalls, QuotaOfWaitingRuns) {
  settings_.waiting_per_tenant_max = 2;
  Start(PolicyWith(""));
  const std::string r1 = Principal("r1", "requester");
  Ask(Request(), r1), Ask(Request(), r1);
  EXPECT_EQ(Submit(Request(), r1).status, 429);
  EXPECT_EQ(Submit(Request(), "adm").status, 200);
}

TEST_F(RequestCalls, Attack43_TheQuotaCountsAfterARestart) {
  settings_.waiting_per_tenant_max = 2;
  Start(PolicyWith(""));
  const std::string r1 = Principal("r1", "requester");
  Ask(Request(), r1), Ask(Request(), r1);
  Start(PolicyWith(""));
  EXPECT_EQ(Submit(Request(), r1).status, 429);
}

TEST_F(RequestCalls, WarrantPolicyCases) {
  const std::string path = std::string(WRIT_SOURCE_DIR) + "/tests/vectors/warrant/policy.json";
  const Json vectors = *canon::Parse(*sys::ReadFile(path, 1 << 20), canon::Mode::kWire);
  for (const Json& c : vectors.Find("cases")->array()) {
    SCOPED_TRACE(*c.FindString("name"));
    const Json& asked = *c.Find("request");
    Start(*policy::FromJson(*c.Find("policy"), "vector"));
    EXPECT_EQ(Call("GET", "/v1/policy", "adm").Text("policyHash"), *c.FindString("policyHash"));
    Json request = Request();
    for (const char* name : {"agentKind", "pool", "secretNames"}) request.Set(name, *asked.Find(name));
    request.Set("network", Json::Of({{"defaultDeny", true}, {"allowHosts", *asked.Find("allowHosts")}}));
    Json budget = Json::MakeObject();
    for (const char* name : {"maxSpendUsd", "maxDurationMin"})
      if (const Json* value = asked.Find(name)) budget.Set(name, *value);
    request.Set("budget", asked.Find("budget") != nullptr ? *asked.Find("budget") : std::move(budget));
    const Got got = Submit(request, "adm", true);
    if (const Json* denied = c.Find("denied")) {
      EXPECT_EQ(got.status, 403);
      EXPECT_EQ(got.error(), *denied->FindString("message"));
      EXPECT_EQ(*got.body.Find("reasons"), *denied->Find("reasons"));
    } else {
      ASSERT_EQ(got.status, 200) << got.text;
      EXPECT_EQ(*got.body.Find("policyDecision"), *c.Find("decision")) << got.text;
    }
  }
}

TEST_F(RequestCalls, ListsAndViews) {
  Start(PolicyWith(R"([{"when":"secret-release","approvers":["bob"]}])"));
  std::vector<std::string> ids;
  for (int i = 0; i < 5; ++i) ids.push_back(Ask(Request("run " + std::to_string(i))));
  const std::string waiting = Ask(Request("with secret", Json(Json::Array{"TOK"})));
  EXPECT_EQ(Answer(ids[0], "cancel", "adm").status, 200);
  const auto page = [&](std::vector<std::pair<std::string, std::string>> query) { return Call("GET", "/v1/runs", "adm", {}, std::move(query)); };
  const Got all = page({});
  ASSERT_EQ(all.body.Find("runs")->array().size(), 6u);
  EXPECT_EQ(*all.body.Find("runs")->array()[0].FindString("runId"), waiting);
  EXPECT_EQ(all.body.Find("nextCursor"), nullptr);
  std::size_t seen = 0;
  std::string cursor;
  do {
    const Got part = cursor.empty() ? page({{"limit", "4"}}) : page({{"limit", "4"}, {"cursor", cursor}});
    seen += part.body.Find("runs")->array().size();
    cursor = part.Text("nextCursor");
  } while (!cursor.empty());
  EXPECT_EQ(seen, 6u);
  EXPECT_EQ(page({{"status", "awaiting_approval"}}).body.Find("runs")->array().size(), 1u);
  EXPECT_EQ(page({{"status", "cancelled"}}).body.Find("runs")->array()[0].FindString("failureMessage")->substr(0, 9), "cancelled");
  for (const auto& bad : {std::pair{"limit", "0"}, std::pair{"limit", "x"}, std::pair{"cursor", "-1"}, std::pair{"status", "odd"}})
    EXPECT_EQ(page({{bad.first, bad.second}}).status, 400) << bad.first << bad.second;
  EXPECT_EQ(Call("GET", "/v1/runs/run_nope", "adm").text, R"({"error":"run not found"})");
  const Got part = Call("GET", "/v1/runs/" + ids[1], "adm", {}, {{"from", "1"}, {"limit", "1"}});
  EXPECT_EQ(part.body.Find("events")->array().size(), 1u);
  EXPECT_EQ(Call("GET", "/v1/runs/" + ids[1], "adm", {}, {{"limit", "1"}}).body.Find("nextSeq")->number(), 1);
}

TEST_F(RequestCalls, Export) {
  Start(PolicyWith(""));
  const std::string before = Ask();
  clock_.Advance(std::chrono::minutes{1});
  const std::string after = Ask();
  const auto lines = [](const std::string& text) { return std::count(text.begin(), text.end(), '\n'); };
  const Got all = Call("GET", "/v1/export", "adm");
  EXPECT_EQ(lines(all.text), 4);
  EXPECT_THAT(all.text, StartsWith(R"({"runId":"run_)"));
  EXPECT_THAT(all.text, testing::EndsWith("\n"));
  const Got since = Call("GET", "/v1/export", "adm", {}, {{"since", "2026-06-11T00:00:30.000Z"}});
  EXPECT_EQ(lines(since.text), 2);
  EXPECT_THAT(since.text, HasSubstr(after));
  EXPECT_EQ(Call("GET", "/v1/export", "adm", {}, {{"since", "2027-06-11T00:00:30.000Z"}}).text, "");
  EXPECT_EQ(Call("GET", "/v1/export", "adm", {}, {{"since", "yesterday"}}).status, 400);
  EXPECT_EQ(Call("GET", "/v1/export", "adm", {}, {{"cursor", "yesterday"}}).status, 400);
  EXPECT_EQ(Call("GET", "/v1/export", Principal("r1", "requester")).status, 403);
}

TEST_F(RequestCalls, ExportInParts) {
  Start(PolicyWith(""));
  for (int i = 0; i < 12; ++i) Ask();
  std::size_t lines = 0, parts = 0;
  std::string cursor;
  do {
    const Got part = cursor.empty() ? Call("GET", "/v1/export", "adm", {}, {{"limit", "5"}})
                                    : Call("GET", "/v1/export", "adm", {}, {{"limit", "5"}, {"cursor", cursor}});
    ASSERT_EQ(part.status, 200);
    lines += static_cast<std::size_t>(std::count(part.text.begin(), part.text.end(), '\n'));
    ++parts;
    cursor.clear();
    for (const auto& [name, value] : part.headers)
      if (name == "writ-next-cursor") cursor = value;
  } while (!cursor.empty() && parts < 100);
  EXPECT_EQ(lines, 24u);
  EXPECT_GE(parts, 5u);
}

TEST_F(RequestCalls, RetentionRemovesOldRunsAndWhatNobodyNames) {
  settings_.retention = true;
  clock_.SetWall(SystemClock().Now());  // blobs have the file system's times
  Start(PolicyWith(R"([{"when":"secret-release","approvers":["bob"]}])"));
  const auto put = [&](std::string_view text) {
    auto hash = service_->blobs().Put(AsBytes(text), storage::Durability::kDurable);
    EXPECT_TRUE(hash);
    return hash ? *hash : std::string();
  };
  const auto with_bundle = [&](const std::string& hash) {
    Json workspace = *Request().Find("workspace");
    workspace.Set("bundleHash", hash);
    Json request = With("workspace", std::move(workspace));
    return request;
  };
  const std::string ended_blob = put("ended"), kept_blob = put("kept"), nobodys = put("nobody's");
  const std::string ended = Ask(with_bundle(ended_blob));
  EXPECT_EQ(Answer(ended, "cancel", "adm").status, 200);
  const auto has = [&](const std::string& hash) { return *service_->blobs().Has(hash); };
  const std::string kept = Ask(with_bundle(kept_blob));  // ends, unclaimed, when the clock moves
  clock_.Advance(std::chrono::hours{24 * 100});
  service_->Tick();
  EXPECT_TRUE(has(kept_blob));
  EXPECT_FALSE(has(ended_blob));  // over artifactsDays
  EXPECT_FALSE(has(nobodys));
  EXPECT_EQ(StatusOf(ended), "cancelled");
  clock_.Advance(std::chrono::hours{24 * 300});
  service_->Tick();
  EXPECT_EQ(Call("GET", "/v1/runs/" + ended, "adm").status, 404);
  EXPECT_EQ(Call("GET", "/v1/runs/" + kept, "adm").status, 200);
}

TEST_F(RequestCalls, RetentionKeepsTheFilesOfDirectoriesThatARunIsToSee) {
  settings_.retention = true;
  clock_.SetWall(SystemClock().Now());
  Start(PolicyWith(""));
  const auto put = [&](std::string_view text) { return *service_->blobs().Put(AsBytes(text), storage::Durability::kDurable); };
  const std::string file = put("in the directory"), nobodys = put("nobody's");
  const std::string listing = put("file 444 16 " + file + std::string("\0x\0\0", 4));
  Json input = Json::Of({{"name", "d"}, {"type", "directory"}, {"sha256", listing}, {"bytes", 16}});
  Ask(With("writ", Json::Of({{"v", 1}, {"inputs", Json(Json::Array{std::move(input)})}})));
  clock_.Advance(std::chrono::hours{24 * 5});
  service_->Tick();
  EXPECT_TRUE(*service_->blobs().Has(listing));
  EXPECT_TRUE(*service_->blobs().Has(file));
  EXPECT_FALSE(*service_->blobs().Has(nobodys));
}

TEST_F(RequestCalls, ARunIsFoundByTheBeginningOfItsId) {
  Start(PolicyWith(""));
  const std::string id = Ask();
  const std::string other = Ask();
  const auto found = [&](const std::string& prefix) { return Call("GET", "/v1/runs", "adm", {}, {{"prefix", prefix}}); };
  for (const std::string& prefix : {id, id.substr(0, 20), id.substr(4, 16)}) {
    const Got got = found(prefix);
    ASSERT_EQ(got.status, 200) << got.text;
    ASSERT_EQ(got.body.Find("runs")->array().size(), 1u) << prefix;
    EXPECT_EQ(*got.body.Find("runs")->array().front().FindString("runId"), id);
  }
  EXPECT_TRUE(found("zzz").body.Find("runs")->array().empty());
  EXPECT_EQ(found("run_").status, 400);
  EXPECT_NE(found("run_").text.find(other), std::string::npos) << "candidates are named";
  EXPECT_TRUE(found("../..").body.Find("runs")->array().empty());
}

TEST_F(RequestCalls, MetricsCount) {
  Start(PolicyWith(""));
  Ask();
  Answer(Ask(), "cancel", "adm");
  const Json metrics = *Call("GET", "/v1/metrics", "adm").body.Find("metrics");
  EXPECT_EQ(*metrics.Find("runs.requested"), Json(2));
  EXPECT_EQ(*metrics.Find("runs.cancelled"), Json(1));
}

}  // namespace
}  // namespace writ::api
