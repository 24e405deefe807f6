#pragma once

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "api/plane/plane_service.h"
#include "canon/json.h"
#include "plane/idp.h"
#include "policy/load.h"
#include "sys/file.h"

namespace writ::api {

/// A plane over a temporary state directory and a clock that stands still, asked as a client asks it.
class PlaneCallsTest : public testing::Test {
 protected:
  struct Got {
    int status = 0;
    canon::Json body;
    std::string text;
    std::vector<std::pair<std::string, std::string>> headers;
    std::string_view error() const {
      const std::string* text_of_error = body.FindString("error");
      return text_of_error == nullptr ? std::string_view() : std::string_view(*text_of_error);
    }
    std::string_view Text(std::string_view name) const {
      const std::string* member = body.FindString(name);
      return member == nullptr ? std::string_view() : std::string_view(*member);
    }
  };

  PlaneCallsTest() : temporary_(*sys::TemporaryDirectory::Create(testing::TempDir(), "plane-calls")) {}

  /// A policy of the original protocol with these consent rules and `writ`, as JSON texts; "" for none.
  static policy::Policy PolicyWith(const std::string& consent, const std::string& writ = "", const std::string& hosts = "[]") {
    auto policy = policy::Load(
        R"({"version":"warrant.policy.v1","runners":{"allowPools":["default"]},"agents":{"allow":["command","codex"]},)"
        R"("dataClasses":[],"network":{"defaultDeny":true,"allowHosts":)" + hosts + R"(},"secrets":{"releasable":[)"
        R"({"name":"TOK","scope":"team:x","pools":["default"]}]},"budget":{"maxSpendUsd":25,"maxDurationMin":60},)"
        R"("consent":)" + (consent.empty() ? "[]" : consent) + R"(,"retention":{"receiptsDays":365,"artifactsDays":90})" +
        (writ.empty() ? "" : R"(,"writ":)" + writ) + "}", "test");
    EXPECT_TRUE(policy) << policy.error().what;
    return *std::move(policy);
  }

  /// Starts, or starts again, a plane over the same state.
  void Start(policy::Policy policy) {
    service_.reset();
    PlaneOptions options{.state_dir = temporary_.path() + "/state",
                         .policy = std::move(policy),
                         .keys = plane::MakePlaneKeys(crypto::PrivateKey::FromSeed({1}), crypto::PrivateKey::FromSeed({2})),
                         .admin_token = "adm",
                         .enroll_token = "enr",
                         .settings = settings_,
                         .idp = idp_,
                         .clock = &clock_};
    auto service = PlaneService::Start(std::move(options));
    ASSERT_TRUE(service) << service.error().what;
    service_ = *std::move(service);
  }

  Got Call(const std::string& method, const std::string& path, const std::string& token, const canon::Json& body = {},
           std::vector<std::pair<std::string, std::string>> query = {}, const std::string& key = "") {
    PlaneCall call{.method = method, .path = path};
    call.query = std::move(query);
    if (!token.empty()) call.authorization = "Bearer " + token;
    call.idempotency_key = key;
    call.address = "192.0.2.1";
    if (!body.is_null()) call.body = canon::Compact(body);
    std::promise<PlaneReply> promise;
    auto future = promise.get_future();
    service_->Call(std::move(call), [&promise](PlaneReply reply) { promise.set_value(std::move(reply)); });
    if (future.wait_for(std::chrono::seconds{30}) != std::future_status::ready) {
      ADD_FAILURE() << "no answer to " << method << " " << path;
      std::abort();  // the promise is still lent
    }
    PlaneReply reply = future.get();
    Got got{reply.status, {}, reply.body, std::move(reply.headers)};
    if (auto json = canon::Parse(reply.body, canon::Mode::kWire)) got.body = *std::move(json);
    return got;
  }

  /// Token of a principal that exists from now on.
  std::string Principal(const std::string& name, const std::string& role) {
    const Got made = Call("POST", "/v1/principals", "adm", canon::Json::Of({{"name", name}, {"role", role}}));
    EXPECT_EQ(made.status, 200) << made.text;
    return std::string(made.Text("token"));
  }

  static canon::Json Request(const std::string& prompt = "echo hi", canon::Json secrets = canon::Json::MakeArray()) {
    return canon::Json::Of(
        {{"requestedBy", canon::Json::Of({{"kind", "human"}, {"id", "alice"}})},
         {"agentKind", "command"},
         {"prompt", prompt},
         {"pool", "default"},
         {"secretNames", std::move(secrets)},
         {"workspace", canon::Json::Of({{"version", "warrant.manifest.v1"},
                                        {"baseRef", "abc"},
                                        {"bundleHash", std::string(64, '1')},
                                        {"untrackedFiles", canon::Json::MakeArray()},
                                        {"deniedPatterns", canon::Json::MakeArray()},
                                        {"deniedPaths", canon::Json::MakeArray()}})},
         {"network", canon::Json::Of({{"defaultDeny", true}, {"allowHosts", canon::Json::MakeArray()}})},
         {"budget", canon::Json::MakeObject()},
         {"disclosure", "minimal-context"}});
  }
  Got Submit(canon::Json request, const std::string& token = "adm", bool dry_run = false, const std::string& key = "") {
    canon::Json body = canon::Json::Of({{"request", std::move(request)}});
    if (dry_run) body.Set("dryRun", true);
    return Call("POST", "/v1/runs", token, body, {}, key);
  }
  /// Submits and returns the run's id.
  std::string Ask(canon::Json request = Request(), const std::string& token = "adm") {
    const Got got = Submit(std::move(request), token);
    EXPECT_EQ(got.status, 200) << got.text;
    return std::string(got.Text("runId"));
  }
  std::string StatusOf(const std::string& run) { return std::string(Call("GET", "/v1/runs/" + run, "adm").Text("status")); }
  Got Answer(const std::string& run, const std::string& verb, const std::string& token, canon::Json body = canon::Json::MakeObject()) {
    return Call("POST", "/v1/runs/" + run + "/" + verb, token, body);
  }
  canon::Json Approval(const std::string& run) { return Call("GET", "/v1/runs/" + run + "/approval", "adm").body; }
  std::vector<std::string> EventTypes(const std::string& run) {
    std::vector<std::string> types;
    const Got got = Call("GET", "/v1/runs/" + run, "adm");
    const canon::Json* events = got.body.Find("events");
    if (events == nullptr) return types;
    for (const auto& entry : events->array()) types.push_back(*entry.Find("event")->FindString("type"));
    return types;
  }

  FakeClock clock_{*ParseTimestamp("2026-06-11T00:00:00.000Z")};
  sys::TemporaryDirectory temporary_;
  std::shared_ptr<const plane::IdentityProvider> idp_;
  plane::Settings settings_;
  std::unique_ptr<PlaneService> service_;
};

}  // namespace writ::api
