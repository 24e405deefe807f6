#include "runner/uplink.h"

#include <gmock/gmock.h>

#include "runner/runner_fixture_for_test.h"

namespace writ::runner {
namespace {

using canon::Json;
using testing::HasSubstr;
using testing::StartsWith;
namespace fake = isolation::fake;

/// Planes that fall silent, answer late or not at all.
class UplinkTest : public RunnerTest {};

TEST_F(UplinkTest, APlaneThatVanishesDuringARunAndReturnsGetsEverything) {
  std::atomic<bool> gone = false;
  script_.steps = {fake::Call{[&] {
    plane_->Vanish();
    gone = true;
  }}, fake::Sleep{Millis{100}}, fake::Print{isolation::Stream::kStdout, "after\n"}};
  const std::string id = plane_->AddRun({});
  auto runner = Make();
  std::jthread back([&] {
    while (!gone) std::this_thread::sleep_for(Millis{1});
    std::this_thread::sleep_for(Millis{400});
    plane_->Return();
  });
  EXPECT_EQ(RunOnce(*runner), "");
  back.join();
  EXPECT_EQ(plane_->Problems(id), std::vector<std::string>());
  EXPECT_EQ(plane_->Get(id).status, "completed");
  EXPECT_EQ(LogOf(id), "after\n");
}

TEST_F(UplinkTest, AClaimThatEndsWithoutThePlaneStopsTheRun) {
  plane_->lease_ms = 900;
  plane_->heartbeat_ms = 300;
  script_.steps = {fake::Call{[&] { plane_->Vanish(); }}, fake::Sleep{Millis{60'000}}};
  const std::string id = plane_->AddRun({});
  const auto began = std::chrono::steady_clock::now();
  EXPECT_THAT(RunOnce(), HasSubstr("the claim ended"));
  EXPECT_LT(std::chrono::steady_clock::now() - began, Millis{30'000}) << "the guest was left running";
  plane_->Return();
  EXPECT_EQ(RunOnce(), "(none)") << "a run that can no longer be reported is forgotten";
}

TEST_F(UplinkTest, HeartbeatsKeepTheClaim) {
  plane_->lease_ms = 900;
  plane_->heartbeat_ms = 100;
  script_.steps = {fake::Sleep{Millis{1500}}};
  const std::string id = plane_->AddRun({});
  EXPECT_EQ(RunOnce(), "");
  EXPECT_EQ(plane_->Get(id).status, "completed");
  EXPECT_GE(plane_->Get(id).beats, 2);
}

TEST_F(UplinkTest, AnUploadThatTakesLongerThanALeaseKeepsTheClaim) {
  plane_->lease_ms = 3000;
  plane_->heartbeat_ms = 20;
  script_.steps = {fake::Print{isolation::Stream::kStdout, "hi\n"}};
  const std::string id = plane_->AddRun({});
  std::atomic<bool> renewed = false;
  plane_->before = [&](const std::string&, const std::string& path, const std::string&) -> std::optional<ScriptedReply> {
    if (path != "/v1/blobs") return std::nullopt;
    const int before = plane_->Get(id).beats;
    for (const Deadline end = Deadline::After(Millis{20'000}); !end.Passed() && !renewed; std::this_thread::sleep_for(Millis{1}))
      renewed = plane_->Get(id).beats >= before + 3;
    return std::nullopt;
  };
  EXPECT_EQ(RunOnce(), "");
  EXPECT_TRUE(renewed) << "nothing was said to the plane while the upload went on";
  EXPECT_EQ(plane_->Get(id).status, "completed");
}

TEST_F(UplinkTest, AStopInAHeartbeatCancelsTheRun) {
  plane_->heartbeat_ms = 50;
  plane_->stop_reason = "bob wants it";
  script_.steps = {fake::Sleep{Millis{60'000}}};
  const std::string id = plane_->AddRun({});
  EXPECT_EQ(RunOnce(), "");
  EXPECT_EQ(plane_->Get(id).status, "cancelled");
  EXPECT_EQ(plane_->Problems(id), std::vector<std::string>());
}

/// The plane does what it is asked, but the answer is lost: once per kind of call.
class LostAnswers : public RunnerTest, public testing::WithParamInterface<bool> {};

TEST_P(LostAnswers, ChangeNothing) {
  plane_ = std::make_unique<ScriptedPlane>(GetParam());
  std::set<std::string> lost;
  std::mutex mutex;
  plane_->after = [&](const std::string& path, ScriptedReply& reply) {
    const std::lock_guard hold(mutex);
    for (const char* call : {"/events", "/complete", "/v1/blobs"})
      if (path.ends_with(call) && lost.insert(call).second) reply.drop = true;
  };
  script_.steps = {fake::Print{isolation::Stream::kStdout, "hi\n"}, fake::Sleep{Millis{300}}};
  const std::string id = plane_->AddRun({});
  EXPECT_EQ(RunOnce(), "");
  EXPECT_EQ(lost.size(), 3u);
  EXPECT_EQ(plane_->Problems(id), std::vector<std::string>());
  EXPECT_EQ(plane_->Get(id).status, "completed");
}

INSTANTIATE_TEST_SUITE_P(OfOurPlaneAndTheOriginal, LostAnswers, testing::Bool());

TEST_F(UplinkTest, SmallResultsComeWithTheReceiptWhereThePlaneTakesThem) {
  plane_->artifact_bytes = 100'000;
  std::mutex mutex;
  std::vector<std::size_t> uploads, carried;
  bool lost = false;
  plane_->before = [&](const std::string& method, const std::string& path, const std::string& body) -> std::optional<ScriptedReply> {
    const std::lock_guard hold(mutex);
    if (method == "POST" && path == "/v1/blobs") uploads.push_back(body.size());
    if (path.ends_with("/complete")) {
      const auto json = canon::Parse(body, canon::Mode::kStrict);
      const Json* artifacts = json->Find("artifacts");
      carried.push_back(artifacts == nullptr ? 0 : artifacts->array().size());
    }
    return std::nullopt;
  };
  plane_->after = [&](const std::string& path, ScriptedReply& reply) {
    const std::lock_guard hold(mutex);
    if (path.ends_with("/complete") && !std::exchange(lost, true)) reply.drop = true;
  };
  script_.steps = {fake::Print{isolation::Stream::kStdout, "hi\n"}};
  const std::string small = plane_->AddRun({});
  EXPECT_EQ(RunOnce(), "");
  EXPECT_EQ(LogOf(small), "hi\n");
  EXPECT_THAT(uploads, testing::IsEmpty());
  EXPECT_THAT(carried, testing::ElementsAre(1, 1)) << "the answer was lost, so it is said again";
  EXPECT_EQ(plane_->Problems(small), std::vector<std::string>());

  script_.steps = {fake::Print{isolation::Stream::kStdout, std::string(70'000, 'x')}};
  const std::string large = plane_->AddRun({});
  EXPECT_EQ(RunOnce(), "");
  EXPECT_EQ(LogOf(large), std::string(70'000, 'x'));
  EXPECT_THAT(uploads, testing::ElementsAre(70'000));
  EXPECT_THAT(carried, testing::ElementsAre(1, 1, 0));
}

TEST_F(UplinkTest, ServerErrorsAreTriedAgain) {
  int failures = 0;
  std::mutex mutex;
  plane_->before = [&](const std::string&, const std::string& path, const std::string&) -> std::optional<ScriptedReply> {
    const std::lock_guard hold(mutex);
    if (path.ends_with("/complete") && ++failures <= 2) return ScriptedReply{503, R"({"error":"the store cannot keep this: disk full"})"};
    return std::nullopt;
  };
  const std::string id = plane_->AddRun({});
  EXPECT_EQ(RunOnce(), "");
  EXPECT_EQ(plane_->Get(id).status, "completed");
}

TEST_F(UplinkTest, APlaneThatCannotStoreEventsStopsTheRun) {
  plane_->lease_ms = 3000;
  plane_->heartbeat_ms = 1000;
  plane_->before = [&](const std::string&, const std::string& path, const std::string&) -> std::optional<ScriptedReply> {
    return path.ends_with("/events") || path.ends_with("/complete") ? std::optional(ScriptedReply{503, R"({"error":"the store cannot keep this: disk full"})"}) : std::nullopt;
  };
  script_.steps = {fake::Sleep{Millis{60'000}}};
  plane_->AddRun({});
  const auto began = std::chrono::steady_clock::now();
  EXPECT_THAT(RunOnce(), HasSubstr("disk full"));
  EXPECT_LT(std::chrono::steady_clock::now() - began, Millis{30'000}) << "the guest was left running";
}

TEST_F(UplinkTest, OutputIsSeenWhileTheRunGoesOn) {
  std::mutex mutex;
  std::condition_variable seen;
  std::string streamed;
  plane_->before = [&](const std::string&, const std::string& path, const std::string& body) -> std::optional<ScriptedReply> {
    if (!path.ends_with("/log")) return std::nullopt;
    const auto json = canon::Parse(body, canon::Mode::kStrict);
    const std::lock_guard hold(mutex);
    streamed += *Base64DecodeLenient(*json->FindString("data"));
    seen.notify_all();
    return std::nullopt;
  };
  bool arrived = false;
  script_.steps = {fake::Print{isolation::Stream::kStdout, "half of it\n"}, fake::Call{[&] {
    std::unique_lock hold(mutex);
    arrived = seen.wait_for(hold, Millis{20'000}, [&] { return streamed == "half of it\n"; });
  }}};
  plane_->AddRun({});
  EXPECT_EQ(RunOnce(), "");
  EXPECT_TRUE(arrived);
}

}  // namespace
}  // namespace writ::runner
