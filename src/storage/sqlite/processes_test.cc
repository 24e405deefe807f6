#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sched.h>

#include "crypto/digest.h"
#include "storage/blobs/directory.h"
#include "storage/sqlite/hashes_for_test.h"
#include "storage/sqlite/open.h"
#include "sys/file.h"

namespace writ::storage {
namespace {

/// Runs `body` in a child process and returns its exit status. 77: the child found that the host cannot do it.
template <class Body>
int InChild(Body body) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(body());
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
constexpr int kCannot = 77;

Result<> MakeRun(Store& store, const std::string& id, std::size_t contract_bytes = 100) {
  const auto t = WRIT_TRY("begin", store.Begin());
  WRIT_TRY("decide", t->AppendDecision(kGenesis, {.kind = DecisionKind::kAllow, .run_id = id, .digest = Hash(id)}));
  WRIT_TRY("create", t->CreateRun({.id = id}));
  WRIT_TRY("contract", t->SetContract(id, std::string(contract_bytes, 'c'), Hash("c")));
  return t->Commit(Durability::kDurable);
}

class ProcessesTest : public testing::Test {
 protected:
  ProcessesTest() : directory_(*sys::TemporaryDirectory::Create("/tmp", "writ-processes-")) {}
  sys::TemporaryDirectory directory_;
};

TEST_F(ProcessesTest, SeveralMakeAndUseOneStateAtOnce) {
  constexpr int kProcesses = 6, kRuns = 15;
  const std::string path = directory_.path() + "/state";
  std::vector<pid_t> children;
  for (int p = 0; p < kProcesses; ++p) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      auto state = StateDir::Open(path, StateAccess::kWrite);
      if (!state) ::_exit(1);
      auto store = OpenSqliteStore(*state, {.busy_timeout = Millis{60'000}, .checkpoint_pages = 8});
      if (!store) {
        fmt::print(stderr, "{}\n", store.error().what);
        ::_exit(2);
      }
      for (int i = 0; i < kRuns; ++i) {
        const auto made = MakeRun(**store, fmt::format("run_{}_{}", p, i));
        if (!made) {
          fmt::print(stderr, "{}\n", made.error().what);
          ::_exit(3);
        }
        if (!(*store)->ListRuns(5)) ::_exit(4);
      }
      store = Fail(Code::kInternal, "closed");
      ::_exit(0);
    }
    children.push_back(pid);
  }
  for (const pid_t pid : children) {
    int status = 0;
    ASSERT_EQ(::waitpid(pid, &status, 0), pid);
    EXPECT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 0);
  }
  auto store = OpenSqliteStore(*StateDir::Open(path, StateAccess::kWrite));
  ASSERT_TRUE(store) << store.error().what;
  EXPECT_EQ((*store)->ListRuns(1000)->size(), std::size_t{kProcesses * kRuns});
  const auto log = VerifyDecisions(**store, kGenesis);
  ASSERT_TRUE(log) << log.error().what;
  EXPECT_EQ(log->count, std::uint64_t{kProcesses * kRuns});
}

TEST_F(ProcessesTest, TwoStoresInOneProcessDoNotDisturbEachOther) {
  const auto state = *StateDir::Open(directory_.path(), StateAccess::kWrite);
  auto first = *OpenSqliteStore(state);
  auto transaction = *first->Begin();
  {
    auto second = *OpenSqliteStore(state, {.busy_timeout = Millis{1}});
    EXPECT_EQ(second->Begin().error().code, Code::kUnavailable);
  }
  // Closing the second one must not have dropped the lock of the first.
  EXPECT_EQ(InChild([&] {
              auto third = OpenSqliteStore(state, {.busy_timeout = Millis{1}});
              return third && (*third)->Begin() ? 1 : 0;
            }),
            0);
  ASSERT_TRUE(transaction->CreateRun({.id = "run_1"}));
  EXPECT_TRUE(transaction->Commit(Durability::kDurable));
}

TEST_F(ProcessesTest, AHeldLockEndsTheWaitWithAClearError) {
  const auto state = *StateDir::Open(directory_.path(), StateAccess::kWrite);
  auto store = *OpenSqliteStore(state);
  const auto held = *store->Begin();
  auto other = *OpenSqliteStore(state, {.busy_timeout = Millis{20}});
  const auto begun = other->Begin();
  ASSERT_FALSE(begun);
  EXPECT_EQ(begun.error().code, Code::kUnavailable);
  EXPECT_THAT(begun.error().what, testing::HasSubstr("another process has kept it locked for 20 ms"));
  EXPECT_TRUE(other->ListRuns(10)) << "reading goes on";
}

TEST_F(ProcessesTest, AKilledWriterHoldsNobodyUp) {
  const auto state = *StateDir::Open(directory_.path(), StateAccess::kWrite);
  ASSERT_TRUE(OpenSqliteStore(state));
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t pid = ::fork();
  if (pid == 0) {
    auto store = *OpenSqliteStore(state);
    const auto t = *store->Begin();
    if (!t->CreateRun({.id = "half"}) || ::write(ready[1], "x", 1) != 1) ::_exit(1);
    for (;;) ::pause();
  }
  char x = 0;
  ASSERT_EQ(::read(ready[0], &x, 1), 1);
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
  auto store = *OpenSqliteStore(state);
  EXPECT_TRUE(MakeRun(*store, "run_1"));
  EXPECT_EQ(store->GetRun("half").error().code, Code::kNotFound);
  ::close(ready[0]);
  ::close(ready[1]);
}

/// A mount namespace of this process's own, so that no mount of a test is seen outside or stays behind.
bool EnterMountNamespace() {
  return ::unshare(CLONE_NEWNS) == 0 && ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
}

TEST_F(ProcessesTest, Attack34_ADiskThatFillsUpEndsInAnErrorAndTheOldState) {
  const std::string mount = directory_.path() + "/disk";
  ASSERT_EQ(::mkdir(mount.c_str(), 0700), 0);
  const int status = InChild([&] {
    if (!EnterMountNamespace()) return kCannot;
    if (::mount("disk", mount.c_str(), "tmpfs", 0, "size=1m,mode=0700") != 0) return kCannot;
    const auto state = StateDir::Open(mount + "/state", StateAccess::kWrite);
    if (!state) return 1;
    int made = 0;
    {
      auto store = OpenSqliteStore(*state);
      if (!store) return 2;
      for (;; ++made) {
        const auto run = MakeRun(**store, fmt::format("run_{}", made), 20'000);
        if (run) continue;
        if (run.error().code != Code::kExhausted) {
          fmt::print(stderr, "{}\n", run.error().what);
          return 3;
        }
        if (run.error().what.find("disk is full") == std::string::npos) return 4;
        break;
      }
      if (made < 3) return 5;
      // Still readable, and nothing of the refused run is there.
      if ((*store)->ListRuns(1000)->size() != static_cast<std::size_t>(made)) return 6;
      if (!VerifyDecisions(**store, kGenesis)) return 7;
    }
    auto blobs = OpenBlobDirectory(*state);
    if (!blobs) return 8;
    const auto blob = (*blobs)->Put(AsBytes(std::string(1 << 20, 'x')), Durability::kDurable);
    if (blob || blob.error().code != Code::kExhausted) return 9;
    const auto again = OpenSqliteStore(*state);
    if (!again) {
      // A full disk may have no room for the shared index either; that is an error too, not a crash.
      return again.error().code == Code::kExhausted ? 0 : 10;
    }
    if ((*again)->ListRuns(1000)->size() != static_cast<std::size_t>(made)) return 11;
    // Room again: work goes on.
    if (::mount("disk", mount.c_str(), "tmpfs", MS_REMOUNT, "size=8m") != 0) return 12;
    return MakeRun(**again, "after", 20'000) && VerifyDecisions(**again, kGenesis) ? 0 : 13;
  });
  if (status == kCannot) GTEST_SKIP() << "mounting a tmpfs needs CAP_SYS_ADMIN";
  EXPECT_EQ(status, 0);
}

TEST_F(ProcessesTest, AReadOnlyStateCanBeReadAndIsNotWritten) {
  const std::string path = directory_.path() + "/state";
  {
    auto store = *OpenSqliteStore(*StateDir::Open(path, StateAccess::kWrite));
    ASSERT_TRUE(MakeRun(*store, "run_1"));
  }
  const int status = InChild([&] {
    if (!EnterMountNamespace()) return kCannot;
    if (::mount(path.c_str(), path.c_str(), nullptr, MS_BIND, nullptr) != 0) return kCannot;
    if (::mount(nullptr, path.c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr) != 0) return kCannot;
    const auto writing = StateDir::Open(path, StateAccess::kWrite);
    if (writing || writing.error().code != Code::kDenied) return 1;
    if (writing.error().what.find("set WRIT_STATE") == std::string::npos) return 2;
    const auto reading = StateDir::Open(path, StateAccess::kRead);
    if (!reading) return 3;
    auto store = OpenSqliteStore(*reading);
    if (!store) {
      fmt::print(stderr, "{}\n", store.error().what);
      return 4;
    }
    if (!(*store)->GetRun("run_1")) return 5;
    return (*store)->Begin().error().code == Code::kDenied ? 0 : 6;
  });
  if (status == kCannot) GTEST_SKIP() << "a read-only mount needs CAP_SYS_ADMIN";
  EXPECT_EQ(status, 0);
}

TEST_F(ProcessesTest, ReadingAStateThatWasNeverWrittenIsNotFound) {
  const auto state = StateDir::Open(directory_.path(), StateAccess::kRead);
  ASSERT_TRUE(state);
  EXPECT_EQ(OpenSqliteStore(*state).error().code, Code::kNotFound);
  EXPECT_EQ(OpenBlobDirectory(*state).error().code, Code::kNotFound);
}

}  // namespace
}  // namespace writ::storage
