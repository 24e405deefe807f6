#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>

#include "egress/certificate_authority.h"
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

  /// Descriptors of this process that are open on `file`.
  static int OpenCount(const std::string& file) {
    int count = 0;
    std::error_code failed;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd", failed))
      count += std::filesystem::read_symlink(entry.path(), failed) == file;
    return count;
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

/// Certificate files are read when a connection is made, so a FIFO in their place holds a runner up that has none.
TEST_F(StopTest, IsStoppedWhileItHasNoConnectionToClaimOver) {
  ASSERT_TRUE(Make()->EnsureEnrolled());
  const sys::UniqueFd deaf(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));  // accepts, and answers no handshake
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  ASSERT_EQ(::bind(deaf.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
  ASSERT_EQ(::listen(deaf.get(), 8), 0);
  ASSERT_EQ(::getsockname(deaf.get(), reinterpret_cast<sockaddr*>(&address), &length), 0);

  const std::string file = temporary_.path() + "/authorities";
  const auto authority = egress::CertificateAuthority::Make(SystemClock().Now());
  ASSERT_TRUE(authority);
  ASSERT_TRUE(sys::WriteFileAtomic(file, (*authority)->certificate_pem(), 0600));
  Options options = MakeOptions();
  options.plane_url = fmt::format("https://127.0.0.1:{}", ntohs(address.sin_port));
  options.ca_file = file;
  auto runner = Make(std::move(options));
  ASSERT_TRUE(runner->Start());
  pollfd asked{deaf.get(), POLLIN, 0};
  ASSERT_EQ(::poll(&asked, 1, 20'000), 1) << "it did not claim";
  ASSERT_EQ(::unlink(file.c_str()), 0);
  runner->Stop();  // hangs up: this connection is not used again

  ASSERT_EQ(::mkfifo(file.c_str(), 0600), 0);
  ASSERT_TRUE(runner->Start());
  const Deadline limit = Deadline::After(Millis{20'000});
  sys::UniqueFd writer;
  while (!writer.valid() && !limit.Passed()) writer = sys::UniqueFd(::open(file.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
  ASSERT_TRUE(writer.valid()) << "it made no connection";
  std::jthread stopper([&] { runner->Stop(); });
  // Who stops wants a connection too, after the claim was told to end: the writer and two readers then.
  while (OpenCount(file) < 3 && !limit.Passed()) std::this_thread::sleep_for(Millis{1});
  writer.Reset();
  stopper.join();
  EXPECT_FALSE(limit.Passed());
  EXPECT_TRUE(Said("trusted certificates"));
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
