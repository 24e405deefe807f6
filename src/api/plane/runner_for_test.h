#pragma once

#include <atomic>
#include <optional>
#include <string>
#include <utility>

#include "api/plane/service_for_test.h"

namespace writ::api {

/// A started plane with clients that play runners.
class RunnerServiceTest : public ServiceTest {
 protected:
  void SetUp() override { Start(); }

  struct TestRunner {
    crypto::PrivateKey key;
    std::string id, token;
  };
  TestRunner Enrol(const std::string& pool = "default") {
    auto key = crypto::PrivateKey::Generate();
    const Said said = Post("/v1/runners/enroll", canon::Json::Of({{"enrollToken", kEnroll},
                                                                  {"publicKeyPem", key.public_key().Pem()},
                                                                  {"pool", pool}}));
    EXPECT_EQ(said.status, 200) << said.text;
    return {std::move(key), *said.body.FindString("runnerId"), *said.body.FindString("runnerToken")};
  }
  /// What our own runner says of itself.
  static canon::Json Ours() {
    return *canon::Parse(R"({"v":1,"tiers":["process"],"agents":["command"]})", canon::Mode::kStrict);
  }
  static PlaneCall ClaimCall(const TestRunner& runner, int wait_ms = 0, const canon::Json& writ = nullptr) {
    canon::Json body = canon::Json::Of({{"runnerToken", runner.token}, {"pool", "default"}});
    if (wait_ms > 0) body.Set("waitMs", wait_ms);
    if (!writ.is_null()) body.Set("writ", writ);
    return PostCall("/v1/claims", body);
  }
  std::optional<ClaimedByTest> Claim(const TestRunner& runner, const canon::Json& writ = nullptr) {
    const Said said = Ask(ClaimCall(runner, 0, writ));
    EXPECT_EQ(said.status, 200) << said.text;
    if (said.body.Find("empty") != nullptr) return std::nullopt;
    return ClaimedByTest::From(said.body);
  }
  canon::Json StoredEvents(const std::string& id, std::size_t count) {
    canon::Json events = canon::Json::MakeArray();
    const auto read = service_->Do([&](plane::Core& core, plane::Change&) -> plane::Answer<> {
      for (const auto& text : WRIT_ANSWER(core.store.Events(id, 0, count)))
        events.Append(WRIT_ANSWER(canon::Parse(text, canon::Mode::kWire)));
      return {};
    });
    EXPECT_TRUE(read);
    return events;
  }
};

}  // namespace writ::api
