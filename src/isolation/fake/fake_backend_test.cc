#include "isolation/fake/fake_backend.h"

#include <gtest/gtest.h>

#include <thread>

#include "sys/file.h"

namespace writ::isolation::fake {
namespace {

struct Collect final : OutputSink {
  Result<> Write(Stream stream, ByteView bytes) override {
    (stream == Stream::kStdout ? out : err) += AsText(bytes);
    return {};
  }
  Result<> Truncated(Stream) override {
    ++truncated;
    return {};
  }
  std::string out, err;
  int truncated = 0;
};

class FakeBackendTest : public testing::Test {
 protected:
  std::unique_ptr<Session> Start(Script script) { return Start(std::move(script), SessionSpec()); }
  std::unique_ptr<Session> Start(Script script, SessionSpec spec) {
    if (spec.argv.empty()) spec.argv = {"job"};
    backend_.emplace(scratch_.path(), std::move(script));
    auto session = backend_->Start(std::move(spec), sink_);
    EXPECT_TRUE(session) << session.error().what;
    return *std::move(session);
  }
  sys::TemporaryDirectory scratch_ = *sys::TemporaryDirectory::Create(testing::TempDir(), "fake");
  std::optional<FakeBackend> backend_;
  Collect sink_;
};

TEST_F(FakeBackendTest, PlaysTheScriptAndLeavesNothing) {
  {
    auto session = Start({.steps = {Print{Stream::kStdout, "hello\n"}, Print{Stream::kStderr, "oops\n"},
                                    WriteFile{Place::kOut, "a/b.txt", "result"}, MakeLink{Place::kOut, "l", "/etc"}},
                          .end = {.how = Termination::kExited, .code = 3, .message = {}, .use = {}}});
    const auto outcome = session->Wait(Deadline::Never());
    ASSERT_TRUE(outcome) << outcome.error().what;
    EXPECT_EQ(outcome->how, Termination::kExited);
    EXPECT_EQ(outcome->code, 3);
    EXPECT_EQ(outcome->use.stdout_bytes, 6u);
    EXPECT_EQ(sink_.out, "hello\n");
    EXPECT_EQ(sink_.err, "oops\n");
    const auto tree = session->Tree(Place::kOut);
    ASSERT_TRUE(tree) << tree.error().what;
    EXPECT_TRUE(tree->complete);
    EXPECT_EQ(sys::ListNames(tree->root, 10)->size(), 2u);
  }
  EXPECT_TRUE(sys::ListNames(scratch_.fd(), 10)->empty());
}

TEST_F(FakeBackendTest, CutsOutputAtItsLimit) {
  SessionSpec spec;
  spec.limits.stdout_bytes = 100'000;
  auto session = Start({.steps = {Flood{Stream::kStdout, 1 << 20}}}, std::move(spec));
  const auto outcome = session->Wait(Deadline::Never());
  ASSERT_TRUE(outcome);
  EXPECT_EQ(sink_.out.size(), 100'000u);
  EXPECT_EQ(sink_.truncated, 1);
  EXPECT_EQ(outcome->how, Termination::kExited);
  EXPECT_TRUE(outcome->stdout_truncated);
  EXPECT_EQ(outcome->use.stdout_bytes, 1u << 20);
}

TEST_F(FakeBackendTest, SleepObeysDeadlineLimitAndKill) {
  SessionSpec spec;
  spec.limits.wall_time = Millis{60};
  auto slow = Start({.steps = {Sleep{std::chrono::hours{1}}}}, std::move(spec));
  const auto early = slow->Wait(Deadline::After(Millis{5}));
  ASSERT_FALSE(early);
  EXPECT_EQ(early.error().code, Code::kDeadline);
  EXPECT_EQ(slow->Wait(Deadline::Never())->how, Termination::kTimeLimit);

  auto killed = Start({.steps = {Sleep{std::chrono::hours{1}}}});
  std::jthread killer([&] { killed->Kill(Termination::kCancelled); });
  EXPECT_EQ(killed->Wait(Deadline::Never())->how, Termination::kCancelled);
}

TEST_F(FakeBackendTest, ScriptedFailures) {
  SessionSpec spec;
  spec.argv = {"job"};
  const FakeBackend refusing(scratch_.path(), Script{.accepts_error = Error{Code::kUnavailable, "no cgroup"}});
  EXPECT_EQ(refusing.Accepts(spec).error().code, Code::kUnavailable);
  FakeBackend broken(scratch_.path(), Script{.start_error = Error{Code::kInternal, "no jail"}});
  EXPECT_EQ(broken.Start(std::move(spec), sink_).error().what, "no jail");
  auto session = Start({.wait_error = Error{Code::kInternal, "lost"}});
  EXPECT_EQ(session->Wait(Deadline::Never()).error().what, "lost");
}

}  // namespace
}  // namespace writ::isolation::fake
