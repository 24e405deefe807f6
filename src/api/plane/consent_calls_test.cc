#include <gmock/gmock.h>

#include "api/plane/run_calls_for_test.h"
#include "contract/hash.h"
#include "plane/token_maker_for_test.h"

namespace writ::api {
namespace {

using canon::Json;
using testing::ElementsAre;
using testing::HasSubstr;

const char* kBob = R"([{"when":"any-run","approvers":["bob"]}])";

class ConsentCalls : public PlaneCallsTest {};

TEST_F(ConsentCalls, OneApprovalLetsARunGo) {
  Start(PolicyWith(kBob));
  const std::string bob = Principal("bob", "approver"), eve = Principal("eve", "approver"), r1 = Principal("r1", "requester");
  const auto asked = Submit(Request(), r1);
  EXPECT_EQ(asked.Text("status"), "awaiting_approval");
  const std::string run(asked.Text("runId"));
  EXPECT_TRUE(EventTypes(run).empty());

  const Json approval = Approval(run);
  EXPECT_EQ(*approval.FindString("digest"), *contract::HashCanonical(*approval.Find("request")));
  EXPECT_EQ(*approval.FindString("principal"), "r1");
  EXPECT_EQ(Call("GET", "/v1/approvals", r1).body.Find("approvals")->array().size(), 1u);

  EXPECT_EQ(Answer(run, "approve", r1).status, 403);   // no approver's role
  EXPECT_EQ(Answer(run, "approve", eve).status, 403);  // not among the approvers
  EXPECT_THAT(std::string(Answer(run, "approve", eve).error()), HasSubstr("\"eve\" is not among the approvers"));
  EXPECT_EQ(Answer(run, "approve", "adm").status, 403);
  const auto given = Answer(run, "approve", bob);
  ASSERT_EQ(given.status, 200) << given.text;
  EXPECT_EQ(given.Text("status"), "created");
  EXPECT_THAT(EventTypes(run), ElementsAre("run.created", "policy.evaluated", "consent.requested", "consent.granted"));
  EXPECT_EQ(Answer(run, "approve", bob).error(), "run " + run + " is not awaiting approval");
  EXPECT_EQ(Call("GET", "/v1/approvals", r1).body.Find("approvals")->array().size(), 0u);
}

TEST_F(ConsentCalls, AnApproverAnswersAsHimself) {
  Start(PolicyWith(kBob));
  const std::string eve = Principal("eve", "approver"), bob = Principal("bob", "approver");
  const std::string run = Ask();
  const Json as_bob = Json::Of({{"actor", Json::Of({{"kind", "human"}, {"id", "bob"}})}});
  EXPECT_THAT(std::string(Answer(run, "approve", eve, as_bob).error()), HasSubstr("cannot answer as \"bob\""));
  // An administrator can make bob's token, so it may speak for him; both names are recorded.
  ASSERT_EQ(Answer(run, "approve", "adm", as_bob).status, 200);
  const auto view = Call("GET", "/v1/runs/" + run, "adm");
  const Json& granted = *view.body.Find("events")->array().back().Find("event");
  EXPECT_EQ(*granted.Find("actor")->FindString("id"), "bob");
  EXPECT_EQ(*granted.Find("writ")->FindString("by"), "principal:admin");
  const std::string other = Ask();
  EXPECT_EQ(Answer(other, "approve", bob, as_bob).status, 200);
}

TEST_F(ConsentCalls, MOfNAndNotTheRequester) {
  Start(PolicyWith(R"([{"when":"any-run","approvers":["bob","carol","r1","alice"]}])",
                   R"({"v":1,"tiers":{"allow":["process"]},"consent":[{"required":2,"notRequester":true}]})"));
  const std::string bob = Principal("bob", "approver"), carol = Principal("carol", "approver");
  const std::string run = Ask();
  const auto first = Answer(run, "approve", bob);
  EXPECT_EQ(first.Text("status"), "awaiting_approval");
  EXPECT_EQ(Answer(run, "approve", bob).status, 409);
  const auto as = [](const char* name) { return Json::Of({{"actor", Json::Of({{"kind", "human"}, {"id", name}})}}); };
  EXPECT_EQ(Answer(run, "approve", "adm", as("alice")).status, 403);  // she asked
  EXPECT_EQ(Answer(run, "approve", "adm", as("carol")).status, 403);  // the principal that asked, under another name
  EXPECT_EQ(Answer(run, "approve", carol).Text("status"), "created");
  const auto view = Call("GET", "/v1/runs/" + run, "adm");
  EXPECT_EQ(view.body.Find("events")->array().size(), 5u);
}

TEST_F(ConsentCalls, Attack16_NothingIsApprovedThatWasNotShown) {
  Start(PolicyWith(kBob));
  const std::string bob = Principal("bob", "approver");
  const std::string run = Ask(Request("echo hi")), other = Ask(Request("rm -rf /"));
  const std::string digest = *Approval(run).FindString("digest"), other_digest = *Approval(other).FindString("digest");
  EXPECT_NE(digest, other_digest);
  // Replay on another run.
  const auto changed = Answer(other, "approve", bob, Json::Of({{"digest", digest}}));
  EXPECT_EQ(changed.status, 409);
  EXPECT_EQ(changed.error(), "what would run has changed since it was shown");
  EXPECT_EQ(Answer(run, "approve", bob, Json::Of({{"digest", digest}})).status, 200);
  // Single use.
  EXPECT_EQ(Answer(run, "approve", bob, Json::Of({{"digest", digest}})).status, 409);
}

TEST_F(ConsentCalls, Attack16_EqualRequestsHaveDifferentDigests) {
  Start(PolicyWith(kBob));
  EXPECT_NE(*Approval(Ask()).FindString("digest"), *Approval(Ask()).FindString("digest"));
}

TEST_F(ConsentCalls, Attack16_NothingIsApprovedAfterCancelOrDenial) {
  Start(PolicyWith(kBob));
  const std::string bob = Principal("bob", "approver"), eve = Principal("eve", "approver");
  const std::string cancelled = Ask(), denied = Ask();
  EXPECT_EQ(Answer(cancelled, "cancel", "adm").Text("status"), "cancelled");
  EXPECT_EQ(Answer(cancelled, "approve", bob).status, 409);
  EXPECT_EQ(Answer(denied, "deny", eve).status, 403);
  EXPECT_EQ(Answer(denied, "deny", bob, Json::Of({{"reason", "not on a Friday"}})).Text("status"), "cancelled");
  EXPECT_EQ(Answer(denied, "approve", bob).status, 409);
  const auto view = Call("GET", "/v1/runs/" + denied, "adm");
  EXPECT_EQ(view.Text("failureMessage"), "denied by bob: not on a Friday");
  EXPECT_EQ(Answer(denied, "cancel", "adm").error(), "run " + denied + " is cancelled; only unclaimed runs can be cancelled");
}

TEST_F(ConsentCalls, Attack16_WaitingRunsSurviveARestartAndChangedPoliciesDoNot) {
  const auto two = [] { return PolicyWith(R"([{"when":"any-run","approvers":["bob","carol"]}])", R"({"v":1,"tiers":{"allow":["process"]},"consent":[{"required":2}]})"); };
  Start(two());
  const std::string bob = Principal("bob", "approver"), carol = Principal("carol", "approver");
  const std::string run = Ask(), other = Ask();
  const std::string digest = *Approval(run).FindString("digest");
  EXPECT_EQ(Answer(run, "approve", bob).status, 200);
  Start(two());
  EXPECT_EQ(StatusOf(run), "awaiting_approval");
  EXPECT_EQ(*Approval(run).FindString("digest"), digest);
  EXPECT_EQ(Answer(run, "approve", carol).Text("status"), "created");
  // The approver set changes: what was asked under the old policy is over.
  Start(PolicyWith(R"([{"when":"any-run","approvers":["eve"]}])"));
  const auto late = Answer(other, "approve", bob);
  EXPECT_EQ(late.status, 409) << late.text;
  service_->Tick();
  EXPECT_EQ(StatusOf(other), "cancelled");
  EXPECT_THAT(std::string(Call("GET", "/v1/runs/" + other, "adm").Text("failureMessage")), HasSubstr("the policy changed"));
}

TEST_F(ConsentCalls, Attack16_ConsentExpires) {
  Start(PolicyWith(kBob, R"({"v":1,"tiers":{"allow":["process"]},"consent":[{"expiresMs":3600000}]})"));
  const std::string bob = Principal("bob", "approver");
  const std::string run = Ask(), approved = Ask();
  clock_.Advance(std::chrono::minutes{50});
  service_->Tick();
  EXPECT_EQ(StatusOf(run), "awaiting_approval");
  EXPECT_EQ(Answer(approved, "approve", bob).Text("status"), "created");
  clock_.Advance(std::chrono::minutes{10});
  EXPECT_EQ(Answer(run, "approve", bob).status, 409);
  service_->Tick();
  EXPECT_EQ(StatusOf(run), "cancelled");
  EXPECT_THAT(std::string(Call("GET", "/v1/runs/" + run, "adm").Text("failureMessage")), testing::StartsWith("consent_timeout: "));
}

TEST_F(ConsentCalls, DifferenceToTheLastApprovedRunOfThatKind) {
  Start(PolicyWith(kBob, "", R"(["a.example","b.example"])"));
  const std::string bob = Principal("bob", "approver");
  const std::string first = Ask();
  EXPECT_TRUE(Approval(first).Find("difference")->Find("since")->is_null());
  ASSERT_EQ(Answer(first, "approve", bob).status, 200);
  Json request = Request("echo hi", Json(Json::Array{"TOK"}));
  request.Set("network", Json::Of({{"defaultDeny", true}, {"allowHosts", Json(Json::Array{"a.example"})}}));
  const Json difference = *Approval(Ask(request)).Find("difference");
  EXPECT_EQ(*difference.FindString("since"), first);
  std::vector<std::string> what;
  for (const auto& change : difference.Find("changes")->array())
    what.push_back(*change.FindString("what") + " " + *change.FindString("change"));
  EXPECT_THAT(what, ElementsAre("host added", "secret added"));
  // Another requester has a history of his own.
  EXPECT_TRUE(Approval(Ask(Request(), Principal("r2", "requester"))).Find("difference")->Find("since")->is_null());
}

TEST_F(ConsentCalls, BodiesAreChecked) {
  Start(PolicyWith(kBob));
  const std::string run = Ask();
  const Json bad[] = {Json::Of({{"actor", "bob"}}), Json::Of({{"digest", "abc"}}), Json::Of({{"reason", 1}}),
                      Json::Of({{"actor", Json::Of({{"kind", "robot"}, {"id", "x"}})}}), Json::MakeArray(), Json("x"),
                      Json::Of({{"writ", Json::Of({{"v", 2}})}})};
  for (const auto& body : bad) {
    const auto got = Answer(run, "approve", "adm", body);
    EXPECT_EQ(got.status, 400) << canon::Compact(body) << got.text;
    EXPECT_NE(got.body.Find("issues"), nullptr);
  }
  EXPECT_EQ(Answer(run, "approve", "adm", Json::Of({{"idpToken", "x"}})).error(), "no IdP is configured for approvals");
  EXPECT_EQ(Answer("run_nope", "approve", "adm").error(), "unknown run run_nope");
}

TEST_F(ConsentCalls, Attack43_RunsThatWaitForConsentAreBoundedPerPrincipal) {
  settings_.parked_per_tenant_max = 2;
  Start(PolicyWith(kBob));
  const std::string loud = Principal("loud", "requester"), modest = Principal("modest", "requester"), bob = Principal("bob", "approver");
  const std::string first = Ask(Request(), loud), second = Ask(Request("another"), loud);
  const auto refused = [&] {
    const auto got = Submit(Request(), loud);
    return got.status == 429 && got.error() == "too many runs of loud are waiting for approval";
  };
  EXPECT_TRUE(refused());
  const std::string third = Ask(Request(), modest);
  Start(PolicyWith(kBob));  // counted again from the store
  EXPECT_TRUE(refused());
  EXPECT_EQ(Answer(first, "deny", bob, Json::Of({{"reason", "no"}})).status, 200);
  const std::string fourth = Ask(Request(), loud);
  EXPECT_TRUE(refused());
  EXPECT_EQ(Answer(second, "approve", bob).status, 200);
  EXPECT_EQ(Answer(fourth, "cancel", "adm").status, 200);
  const std::string fifth = Ask(Request(), loud);

  // What is shown comes in pages.
  const auto page = [&](std::vector<std::pair<std::string, std::string>> query) { return Call("GET", "/v1/approvals", bob, {}, std::move(query)); };
  const auto newest = page({{"limit", "1"}});
  ASSERT_EQ(newest.body.Find("approvals")->array().size(), 1u);
  EXPECT_EQ(*newest.body.Find("approvals")->array().front().FindString("runId"), fifth);
  const auto rest = page({{"limit", "5"}, {"cursor", std::string(newest.Text("nextCursor"))}});
  ASSERT_EQ(rest.body.Find("approvals")->array().size(), 1u);
  EXPECT_EQ(*rest.body.Find("approvals")->array().front().FindString("runId"), third);
  EXPECT_EQ(rest.body.Find("nextCursor"), nullptr);
}

TEST_F(ConsentCalls, ConsentIsBoundedByWhatItWouldRunToo) {
  settings_.parked_bytes_per_tenant_max = 6u << 20;
  Start(PolicyWith(kBob));
  const std::string loud = Principal("loud", "requester"), bob = Principal("bob", "approver");
  const std::string long_prompt(900'000, 'x');  // which the shell gets as its script, too
  for (int i = 0; i < 3; ++i) Ask(Request(long_prompt), loud);
  EXPECT_EQ(Submit(Request(long_prompt), loud).status, 429);
  // Long ones come one or two at a time, and none is left out.
  std::size_t seen = 0, pages = 0;
  std::vector<std::pair<std::string, std::string>> query;
  for (bool more = true; more && pages < 10; ++pages) {
    const auto got = Call("GET", "/v1/approvals", bob, {}, query);
    ASSERT_EQ(got.status, 200);
    EXPECT_LT(got.text.size(), 5u << 20);
    seen += got.body.Find("approvals")->array().size();
    more = got.body.Find("nextCursor") != nullptr;
    query = {{"cursor", std::string(got.Text("nextCursor"))}};
  }
  EXPECT_EQ(seen, 3u);
  EXPECT_EQ(pages, 2u);
}

TEST_F(ConsentCalls, IdentityTokens) {
  const plane::TokenMaker idp("ES256", "k");
  idp_ = std::make_shared<plane::IdentityProvider>(*plane::MakeIdentityProvider(
      "https://idp.example", "writ", canon::Compact(Json::Of({{"keys", Json(Json::Array{idp.PublicJwk()})}}))));
  Start(PolicyWith(R"([{"when":"any-run","approvers":["bob","carol"]}])", R"({"v":1,"tiers":{"allow":["process"]},"consent":[{"required":2}]})"));
  const std::string panel = Principal("panel", "approver"), bob = Principal("bob", "approver");
  const std::string run = Ask();
  const auto token = [&](const char* subject, double expires_after_s) {
    const double now = static_cast<double>(clock_.Now().time_since_epoch().count()) / 1000;
    return idp.Sign(Json::Of({{"iss", "https://idp.example"}, {"aud", "writ"}, {"sub", subject}, {"exp", now + expires_after_s}}));
  };
  const auto approve = [&](const std::string& bearer, const std::string& identity) {
    return Answer(run, "approve", bearer, Json::Of({{"idpToken", identity}}));
  };
  EXPECT_EQ(approve(panel, "x").status, 401);
  EXPECT_EQ(approve(panel, token("bob", -61)).status, 401);
  EXPECT_EQ(approve(panel, token("eve", 60)).status, 403);
  EXPECT_EQ(Answer(run, "approve", panel, Json::Of({{"idpToken", token("bob", 60)}, {"actor", Json::Of({{"kind", "human"}, {"id", "carol"}})}})).status, 403);
  EXPECT_EQ(approve(panel, token("bob", 60)).Text("status"), "awaiting_approval");
  EXPECT_EQ(Answer(run, "approve", bob).status, 409);  // bob by another door is the same bob
  EXPECT_EQ(approve(panel, token("carol", 60)).Text("status"), "created");
}

}  // namespace
}  // namespace writ::api
