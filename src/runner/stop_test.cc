#include <gmock/gmock.h>

#include <chrono>

#include "runner/runner_fixture_for_test.h"

namespace writ::runner {
namespace {

namespace fake = isolation::fake;
using std::chrono::steady_clock;

/// A runner that is stopped while a claim of it waits at the plane.
class StopTest : public RunnerTest {
 protected:
  static constexpr Millis kPoll{30'000};

  void Watch(std::function<std::optional<ScriptedReply>()> on_end) {
    plane_->before = [this, on_end = std::move(on_end)](const std::string&, const std::string& path,
                                                        const std::string&) -> std::optional<ScriptedReply> {
      if (path == "/v1/claims") claims_ = claims_ + 1;
      return path == "/v1/claims/end" ? on_end() : std::nullopt;
    };
  }
  /// Starts a runner and stops it once its claim has come to the plane.
  void StartAndStop() {
    Options options = MakeOptions();
    options.poll_wait = kPoll;
    auto runner = Make(std::move(options));
    ASSERT_TRUE(runner->Start());
    for (const Deadline end = Deadline::After(Millis{20'000}); claims_ == 0 && !end.Passed();) std::this_thread::sleep_for(Millis{1});
    ASSERT_GT(claims_, 0);
    const auto began = steady_clock::now();
    runner->Stop();
    EXPECT_LT(steady_clock::now() - began, kPoll / 2) << "it waited for the plane";
    EXPECT_FALSE(Said("error"));
  }

  std::atomic<int> claims_ = 0;
};

TEST_F(StopTest, HasTheClaimThatWaitsAnswered) {
  std::atomic<int> asked = 0;
  Watch([&] { ++asked; return std::nullopt; });
  StartAndStop();
  EXPECT_GE(asked, 1);
  EXPECT_EQ(claims_, 1);
}

TEST_F(StopTest, CarriesOutARunThatWasGivenInThatMoment) {
  std::string id;
  std::mutex mutex;
  Watch([&]() -> std::optional<ScriptedReply> {
    const std::lock_guard hold(mutex);
    if (id.empty()) id = plane_->AddRun({});
    return std::nullopt;
  });
  StartAndStop();
  const std::lock_guard hold(mutex);
  EXPECT_EQ(plane_->Get(id).status, "completed");
  EXPECT_EQ(plane_->Problems(id), std::vector<std::string>());
}

TEST_F(StopTest, HangsUpOnAPlaneThatDoesNotAnswer) {
  Watch([] { return ScriptedReply{.status = 200, .body = "", .drop = true}; });
  StartAndStop();
}

TEST_F(StopTest, HangsUpOnAPlaneThatDoesNotKnowTheCall) {
  Watch([] { return ScriptedReply{404, R"({"error":"no route for POST /v1/claims/end"})"}; });
  StartAndStop();
}

TEST_F(StopTest, CanBeStartedAgain) {
  Options options = MakeOptions();
  options.poll_wait = kPoll;
  Watch([] { return ScriptedReply{.status = 200, .body = "", .drop = true}; });
  auto runner = Make(std::move(options));
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(runner->Start());
    const std::string id = plane_->AddRun({});
    EXPECT_TRUE(plane_->AwaitEnd(id));
    runner->Stop();
  }
}

}  // namespace
}  // namespace writ::runner
