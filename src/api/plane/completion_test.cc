#include <gmock/gmock.h>

#include "api/plane/runner_for_test.h"
#include "base/bytes.h"
#include "crypto/digest.h"

namespace writ::api {
namespace {

using canon::Json;
using testing::HasSubstr;

/// Results that come with the receipt.
class CompletionTest : public RunnerServiceTest {
 protected:
  static constexpr const char* kLog = "what the job said\n";

  /// A claimed run whose chain names `log` and ends.
  ClaimedByTest Ready(const TestRunner& runner, const std::string& log = kLog) {
    AddRun();
    auto claimed = *Claim(runner, Ours());
    claimed.Add(contract::event::ArtifactCreated("log", crypto::Sha256Hex(log)));
    claimed.Add(contract::event::RunCompleted());
    return claimed;
  }
  static Json With(ClaimedByTest& claimed, const TestRunner& runner, Json artifacts) {
    Json body = claimed.CompleteBody(runner.key);
    body.Set("events", Json(Json::Array(claimed.pending)));
    body.Set("artifacts", std::move(artifacts));
    return body;
  }
  static Json Base64s(const std::vector<std::string>& contents) {
    Json artifacts = Json::MakeArray();
    for (const auto& content : contents) artifacts.Append(Base64Encode(AsBytes(content)));
    return artifacts;
  }
  std::string Stored(const std::string& content) { return Get("/v1/blobs/" + crypto::Sha256Hex(content)).text; }
  std::size_t BlobCount() {
    std::size_t count = 0;
    EXPECT_TRUE(service_->blobs().ForEach([&](const storage::BlobStore::Entry&) -> Result<> {
      ++count;
      return {};
    }));
    return count;
  }
};

TEST_F(CompletionTest, AClaimSaysHowMuchMayComeAlong) {
  const auto runner = Enrol();
  AddRun();
  AddRun();
  const Said ours = Ask(ClaimCall(runner, 0, Ours()));
  const Json* writ = ours.body.Find("writ");
  ASSERT_NE(writ, nullptr) << ours.text;
  EXPECT_EQ(writ->Find("artifactBytes")->number(), 262144);
  EXPECT_EQ(Ask(ClaimCall(runner)).body.Find("writ"), nullptr) << "an original runner is told nothing";
}

TEST_F(CompletionTest, WhatTheReceiptNamesIsStoredWithIt) {
  const auto runner = Enrol();
  auto claimed = Ready(runner);
  const Said said = Post(claimed.Path("complete"), With(claimed, runner, Base64s({kLog, "nobody names this"})));
  ASSERT_EQ(said.status, 200) << said.text;
  EXPECT_EQ(Stored(kLog), kLog);
  EXPECT_EQ(BlobCount(), 1u) << "what no receipt names is not kept";
  Restart();
  EXPECT_EQ(Stored(kLog), kLog);
  EXPECT_EQ(Post(claimed.Path("complete"), With(claimed, runner, Base64s({kLog}))).status, 409);
}

TEST_F(CompletionTest, WhatOnlyTheChainNamesIsStoredToo) {
  const auto runner = Enrol();
  const std::string stream = "one stream of two\n";
  AddRun();
  auto other = *Claim(runner, Ours());
  other.Add(contract::event::ArtifactCreated("log", crypto::Sha256Hex(kLog)));
  other.Add(contract::event::Extension("writ.stream.kept", Json::Of({{"stream", "stdout"}, {"sha256", crypto::Sha256Hex(stream)}, {"bytes", stream.size()}})));
  other.Add(contract::event::RunCompleted());
  const Said said = Post(other.Path("complete"), With(other, runner, Base64s({kLog, stream, "nobody names this"})));
  ASSERT_EQ(said.status, 200) << said.text;
  EXPECT_EQ(Stored(stream), stream);
  EXPECT_EQ(BlobCount(), 2u);
}

TEST_F(CompletionTest, OneThatIsMissingIsToldAndTheTokenWorksAgain) {
  const auto runner = Enrol();
  auto claimed = Ready(runner);
  const Said missing = Post(claimed.Path("complete"), With(claimed, runner, Base64s({"another content"})));
  EXPECT_EQ(missing.status, 400);
  EXPECT_THAT(missing.error(), HasSubstr("receipt names blobs that are not stored: " + crypto::Sha256Hex(kLog)));
  EXPECT_EQ(BlobCount(), 0u);
  EXPECT_EQ(Post(claimed.Path("complete"), With(claimed, runner, Base64s({kLog}))).status, 200);
}

TEST_F(CompletionTest, HostileArtifactsAreRefusedAndNothingIsStored) {
  const auto runner = Enrol(), thief = Enrol();
  auto claimed = Ready(runner);
  const std::string large(70'000, 'x');
  const std::vector<std::string> many(17, kLog), much(5, std::string(60'000, 'y'));
  for (const Json& artifacts : {Json("x"), Json(Json::Array{1, 2}), Json(Json::Array{Base64Encode(AsBytes(kLog)), "%%"}), Base64s({kLog, large}),
                                Base64s(many), Base64s(much)}) {
    const Said said = Post(claimed.Path("complete"), With(claimed, runner, artifacts));
    EXPECT_EQ(said.status, 400) << said.text;
    EXPECT_THAT(said.error(), HasSubstr("artifacts"));
  }
  EXPECT_EQ(BlobCount(), 0u);
  // A receipt by another key stores nothing either, and neither does a token of another run.
  EXPECT_EQ(Post(claimed.Path("complete"), With(claimed, thief, Base64s({kLog}))).status, 400);
  auto other = Ready(thief, "other\n");
  Json mixed = With(claimed, runner, Base64s({kLog}));
  mixed.Set("claimToken", other.token);
  EXPECT_EQ(Post(claimed.Path("complete"), mixed).status, 401);
  EXPECT_EQ(BlobCount(), 0u);
  EXPECT_EQ(TypesOf(claimed.run_id).back(), "run.claimed") << "refused as a whole";
  EXPECT_EQ(Post(claimed.Path("complete"), With(claimed, runner, Base64s({kLog}))).status, 200) << "the token was not spent";
}

}  // namespace
}  // namespace writ::api
