#include "api/recover_runs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <thread>

#include "api/plane_for_test.h"
#include "contract/extension.h"
#include "session/fault_point.h"

namespace writ::api {
namespace {

using isolation::Place;
using isolation::Stream;
using namespace isolation::fake;  // NOLINT: the steps of scripts
using testing::HasSubstr;

class RecoverTest : public PlaneTest {
 protected:
  /// Runs a job in a process of its own that is killed with SIGKILL at `label`. Returns false when it got by.
  bool RunAndDieAt(std::string_view label) {
    const pid_t child = ::fork();
    if (child == 0) {
      auto options = Options();
      options.fault_hook = [label](std::string_view here) {
        if (here == label) ::kill(::getpid(), SIGKILL);
      };
      auto doomed = LocalPlane::Create(std::move(options));
      static_cast<void>(doomed->Run(Request(), sink_, control_));
      ::_exit(0);
    }
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
  }
};

class Attack34_CrashAt : public RecoverTest, public testing::WithParamInterface<std::string_view> {};

TEST_P(Attack34_CrashAt, TheRunEndsWithAReceiptAndNothingIsLost) {
  Put(path("data.txt"), "input");
  script_.steps = {Print{Stream::kStdout, "some output\n"}, WriteFile{Place::kWorkspace, "made.txt", "made"}};
  ASSERT_TRUE(RunAndDieAt(GetParam()));

  const auto before = NewPlane()->Resolve("run_");  // one run, whatever its state
  ASSERT_TRUE(before) << before.error().what;
  const auto recovered = plane().Recover();
  ASSERT_TRUE(recovered) << recovered.error().what;
  const bool ended = GetParam() == session::fault::kEnded;
  ASSERT_EQ(recovered->size(), ended ? 0u : 1u);
  if (!ended) {
    EXPECT_EQ(recovered->front().run_id, *before);
    EXPECT_EQ(recovered->front().problem, "");
  }
  const auto details = plane().Show(*before);
  ASSERT_TRUE(details);
  ASSERT_TRUE(details->receipt);
  EXPECT_EQ(details->row.status, ended ? "completed" : "failed");
  const bool end_known = std::ranges::find(session::fault::kAll, GetParam()) >=
                         std::ranges::find(session::fault::kAll, session::fault::kEndRecorded);
  EXPECT_EQ(HowEnded(*details->receipt), end_known ? "exited" : "interrupted");
  EXPECT_TRUE(contract::DecodeReceiptExtension(*details->receipt->Find("writ")));
  ExpectVerified(*before);

  EXPECT_TRUE(plane().Recover()->empty()) << "recovering again finds nothing to do";
  EXPECT_EQ(Run().exit_code, 0) << "the store goes on working";
}

INSTANTIATE_TEST_SUITE_P(EveryPoint, Attack34_CrashAt, testing::ValuesIn(session::fault::kAll),
                         [](const auto& point) {
                           std::string name(point.param);
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST_F(RecoverTest, Attack34_CrashWhileRecovering) {
  ASSERT_TRUE(RunAndDieAt(session::fault::kStarted));
  const pid_t child = ::fork();
  if (child == 0) {
    auto options = Options();
    options.fault_hook = [](std::string_view here) {
      if (here == session::fault::kSigned) ::kill(::getpid(), SIGKILL);
    };
    static_cast<void>(LocalPlane::Create(std::move(options))->Recover());
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  const auto rows = plane().List(10, false);  // recovers of its own accord
  ASSERT_TRUE(rows);
  ASSERT_EQ(rows->size(), 1u);
  EXPECT_EQ(rows->front().status, "failed");
  ExpectVerified(rows->front().run_id);
}

TEST_F(RecoverTest, Attack45_ALivingRunIsNotTakenForADeadOne) {
  std::string seen_status;
  bool seen_live = false;
  script_.steps = {Call{[&] {
    auto other = NewPlane();
    EXPECT_TRUE(other->Recover()->empty());
    const auto rows = other->List(10, true);
    if (!rows || rows->size() != 1) return;
    seen_status = rows->front().status;
    seen_live = rows->front().live;
  }}};
  const RunResult result = Run();
  EXPECT_EQ(seen_status, "running");
  EXPECT_TRUE(seen_live);
  EXPECT_EQ(result.exit_code, 0);
  ExpectVerified(result.run_id);
}

TEST_F(RecoverTest, Attack45_EvidenceShowsThatARestartEndedTheRun) {
  ASSERT_TRUE(RunAndDieAt(session::fault::kGuestEnded));
  const auto rows = plane().List(10, false);
  ASSERT_TRUE(rows);
  ASSERT_EQ(rows->size(), 1u);
  const auto types = EventTypes(rows->front().run_id);
  ASSERT_GE(types.size(), 2u);
  EXPECT_EQ(types[types.size() - 2], "writ.run.interrupted");
  EXPECT_EQ(types.back(), "run.failed");
  EXPECT_EQ(rows->front().exit_code, 125);
}

TEST_F(RecoverTest, Attack45_TheExitCodeOutlivesACrashDuringCollection) {
  script_.end.code = 3;
  ASSERT_TRUE(RunAndDieAt(session::fault::kEndRecorded));
  const auto rows = plane().List(10, false);
  ASSERT_TRUE(rows);
  ASSERT_EQ(rows->size(), 1u);
  const auto types = EventTypes(rows->front().run_id);
  for (const char* type : {"writ.run.ended", "command.executed", "writ.run.interrupted"})
    EXPECT_EQ(std::ranges::count(types, type), 1) << type;
  const auto details = plane().Show(rows->front().run_id);
  ASSERT_TRUE(details && details->receipt);
  const auto writ = contract::DecodeReceiptExtension(*details->receipt->Find("writ"));
  ASSERT_TRUE(writ) << writ.error().what;
  EXPECT_EQ(writ->termination.how, "exited");
  EXPECT_EQ(writ->termination.code, 3u);
  EXPECT_EQ(details->row.status, "failed");
  EXPECT_EQ(details->row.exit_code, 125) << "what the run was to leave was not collected";
  ExpectVerified(rows->front().run_id);
}

TEST_F(RecoverTest, Attack45_ACancelledRunStaysCancelled) {
  script_.steps = {Call{[&] { control_.Cancel(); }}, Sleep{std::chrono::hours{1}}};
  ASSERT_TRUE(RunAndDieAt(session::fault::kEndRecorded));
  const auto rows = plane().List(10, false);
  ASSERT_TRUE(rows);
  ASSERT_EQ(rows->size(), 1u);
  EXPECT_EQ(rows->front().status, "cancelled");
  EXPECT_EQ(EventTypes(rows->front().run_id).back(), "run.cancelled");
  ExpectVerified(rows->front().run_id);
}

TEST_F(RecoverTest, CancellingBeforeAndDuringARun) {
  control_.Cancel();
  RunResult result = Run();
  EXPECT_EQ(result.exit_code, 130);
  EXPECT_EQ(result.status, "cancelled");
  EXPECT_EQ(EventTypes(result.run_id).back(), "run.cancelled");
  ExpectVerified(result.run_id);

  RunControl later;
  script_.steps = {Sleep{std::chrono::hours{1}}};
  std::jthread person([&] {
    std::this_thread::sleep_for(Millis{30});
    later.Cancel();
  });
  const auto during = plane().Run(Request(), sink_, later);
  ASSERT_TRUE(during) << during.error().what;
  EXPECT_EQ(during->exit_code, 130);
  EXPECT_EQ(HowEnded(during->receipt), "cancelled");
  ExpectVerified(during->run_id);
}

TEST_F(RecoverTest, OutputIsReadWhileTheRunGoesOn) {
  const auto read = [this](std::string_view kind, LocalPlane::Until until) {
    std::string text;
    const auto done = NewPlane()->ReadKind("run_", kind, [&](ByteView piece) -> Result<> {
      text += AsText(piece);
      return {};
    }, until);
    return done ? text : "(" + done.error().what + ")";
  };
  std::string log, out, followed;
  std::jthread follower;
  script_.steps = {Print{Stream::kStdout, "one\n"}, Print{Stream::kStderr, "two\n"}, Sleep{Millis{120}}, Call{[&] {
                     log = read("log", LocalPlane::Until::kNow);
                     out = read("stdout", LocalPlane::Until::kNow);
                     follower = std::jthread([&] { followed = read("log", LocalPlane::Until::kEnd); });
                   }},
                   Sleep{Millis{120}}, Print{Stream::kStdout, "three\n"}, Sleep{Millis{120}}, Print{Stream::kStderr, "four\n"}};
  const RunResult result = Run();
  follower.join();
  EXPECT_EQ(log, "one\ntwo\n");
  EXPECT_EQ(out, "one\n");
  EXPECT_EQ(followed, "one\ntwo\nthree\nfour\n");
  EXPECT_EQ(read("log", LocalPlane::Until::kEnd), followed) << "from the store now";
  EXPECT_TRUE(sys::ListNames(*sys::OpenDirectory(state() + "/runs"), 100)->empty());
  ExpectVerified(result.run_id);
}

TEST_F(RecoverTest, FollowingARunWhoseProcessDiesEnds) {
  script_.steps = {Print{Stream::kStdout, "so far\n"}, Sleep{Millis{150}}, Call{[] { ::kill(::getpid(), SIGSTOP); }}};
  const pid_t child = ::fork();
  if (child == 0) {
    static_cast<void>(NewPlane()->Run(Request(), sink_, control_));
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, WUNTRACED), child);
  ASSERT_TRUE(WIFSTOPPED(status));
  std::string text;
  std::jthread patience([child](const std::stop_token& seen) {  // a test that fails is to end, too
    for (int i = 0; i < 2000 && !seen.stop_requested(); ++i) std::this_thread::sleep_for(Millis{10});
    ::kill(child, SIGKILL);
  });
  const auto done = NewPlane()->ReadKind("run_", "log", [&](ByteView piece) -> Result<> {
    text += AsText(piece);
    patience.request_stop();
    return {};
  }, LocalPlane::Until::kEnd);
  patience.join();
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(done) << done.error().what;
  EXPECT_EQ(text, "so far\n");
  const auto rows = plane().List(10, false);
  ASSERT_TRUE(rows);
  EXPECT_EQ(rows->front().status, "failed");
}

TEST_F(RecoverTest, KillEndsTheRunOfAnotherProcess) {
  script_.steps = {Sleep{std::chrono::hours{1}}};
  const pid_t child = ::fork();
  if (child == 0) {
    const auto result = NewPlane()->Run(Request(), sink_, control_);
    ::_exit(result ? result->exit_code : 1);
  }
  auto killer = NewPlane();
  Result<> killed = Fail(Code::kNotFound, "not tried");
  for (int i = 0; i < 500 && !killed; ++i) {
    killed = killer->Kill("run_", Deadline::After(std::chrono::seconds{20}));
    if (!killed) std::this_thread::sleep_for(Millis{10});
  }
  EXPECT_TRUE(killed) << killed.error().what;
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 137);
  const auto rows = plane().List(10, false);
  ASSERT_TRUE(rows);
  EXPECT_EQ(rows->front().status, "cancelled");
  ExpectVerified(rows->front().run_id);
  const auto again = plane().Kill("run_", Deadline::After(Millis{10}));
  ASSERT_FALSE(again);
  EXPECT_THAT(again.error().what, HasSubstr("already ended"));
}

TEST_F(RecoverTest, LeftoversOfACrashAreRemoved) {
  Put(path("data.txt"), "input");
  const pid_t child = ::fork();
  if (child == 0) {
    auto options = Options();
    options.fault_hook = [](std::string_view) { ::kill(::getpid(), SIGKILL); };
    CreateRun request = Request();
    request.inputs = {{path("data.txt"), ""}};
    static_cast<void>(LocalPlane::Create(std::move(options))->Run(std::move(request), sink_, control_));
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  const auto count = [&](const std::string& name) {
    const auto directory = sys::OpenDirectory(state() + "/" + name);
    return directory ? sys::ListNames(*directory, 100)->size() : 0;
  };
  EXPECT_EQ(count("staging"), 1u);
  ASSERT_EQ(plane().Recover()->size(), 1u);
  EXPECT_EQ(count("staging"), 0u);
  EXPECT_EQ(count("runs"), 0u);
}

}  // namespace
}  // namespace writ::api
