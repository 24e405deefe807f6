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

TEST_F(StopTest, EndsAnEnrolmentThatIsTriedAgain) {
  Options options = MakeOptions();
  options.enroll_retry = options.enroll_patience = Millis{60'000};
  std::atomic<int> asked = 0;
  plane_->before = [&](const std::string&, const std::string&, const std::string&) {
    ++asked;
    return ScriptedReply{.status = 200, .body = "", .drop = true};
  };
  auto runner = Make(std::move(options));
  const Deadline limit = Deadline::After(Millis{20'000});
  std::optional<Result<>> started;
  {
    const std::jthread starter([&] { started = runner->Start(); });
    while (asked == 0 && !limit.Passed()) std::this_thread::sleep_for(Millis{1});
    runner->Stop();
  }
  EXPECT_FALSE(limit.Passed()) << "it waited for the next attempt";
  EXPECT_EQ(asked, 1);
  ASSERT_FALSE(*started);
  EXPECT_EQ(started->error().what, "stopped before it was enrolled");
  EXPECT_FALSE(runner->running());
  plane_->before = nullptr;
  EXPECT_TRUE(runner->Start()) << "another connection enrols";
}

TEST_F(StopTest, ATokenEndsAnEnrolmentBeforeItBegins) {
  Options options = MakeOptions();
  options.enroll_retry = options.enroll_patience = Millis{60'000};
  plane_->Vanish();
  auto runner = Make(std::move(options));
  std::stop_source ended;
  ended.request_stop();
  const Deadline limit = Deadline::After(Millis{20'000});
  const auto ran = runner->RunOnce(ended.get_token());
  EXPECT_FALSE(limit.Passed()) << "it waited for the next attempt";
  ASSERT_FALSE(ran);
  EXPECT_EQ(ran.error().code, Code::kUnavailable);
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
