#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/digest.h"
#include "storage/sqlite/hashes_for_test.h"
#include "storage/sqlite/open.h"
#include "sys/file.h"

// Several processes that act as one plane, and a disk that fills up under it.
namespace writ::storage {
namespace {

class PlaneProcessesTest : public testing::Test {
 protected:
  PlaneProcessesTest() : directory_(*sys::TemporaryDirectory::Create("/tmp", "writ-plane-processes-")) {}
  StateDir State() const { return *StateDir::Open(directory_.path() + "/state", StateAccess::kWrite); }

  /// Runs `body(process)` in as many processes at once and returns their exit statuses.
  template <class Body>
  static std::vector<int> InProcesses(int count, Body body) {
    std::vector<pid_t> children;
    for (int process = 0; process < count; ++process) {
      const pid_t pid = ::fork();
      if (pid == 0) ::_exit(body(process));
      children.push_back(pid);
    }
    std::vector<int> statuses;
    for (const pid_t pid : children) {
      int status = 0;
      EXPECT_EQ(::waitpid(pid, &status, 0), pid);
      statuses.push_back(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    }
    return statuses;
  }

  sys::TemporaryDirectory directory_;
};

Result<> MakeQueuedRuns(Store& store, int count) {
  const auto t = WRIT_TRY("begin", store.Begin());
  for (int i = 0; i < count; ++i) {
    const std::string id = fmt::format("run_{}", i);
    WRIT_TRY("create", t->CreateRun({.id = id}));
    WRIT_TRY("contract", t->SetContract(id, "contract", Hash("contract")));
    WRIT_TRY("enqueue", t->Enqueue(id, {.pool = "p", .expires = WallTime(Millis(1000))}));
  }
  return t->Commit(Durability::kDurable);
}

Result<> Claim(Store& store, const std::string& id, const std::string& runner) {
  const auto t = WRIT_TRY("begin", store.Begin());
  WRIT_TRY("claim", t->Claim(id, {.runner_id = runner, .claim_id = runner + id, .until = WallTime(Millis(1))}, {}));
  return t->Commit(Durability::kDurable);
}

TEST_F(PlaneProcessesTest, EveryRunIsClaimedByExactlyOneProcess) {
  constexpr int kProcesses = 4, kRuns = 24;
  const std::string path = directory_.path();
  ASSERT_TRUE(MakeQueuedRuns(**OpenSqliteStore(State()), kRuns));
  // Each process takes whatever it can until the queue is empty, and reports how many runs it got.
  const auto statuses = InProcesses(kProcesses, [&](int process) {
    auto store = OpenSqliteStore(State(), {.busy_timeout = Millis{60'000}});
    if (!store) return 101;
    int claimed = 0;
    for (;;) {
      const auto queued = (*store)->Queued("p", 1);
      if (!queued) return 102;
      if (queued->empty()) return claimed;
      const auto done = Claim(**store, queued->front().id, fmt::format("rnr_{}", process));
      if (done) {
        ++claimed;
      } else if (done.error().code != Code::kInvalid) {
        fmt::print(stderr, "{}\n", done.error().what);
        return 103;
      }
    }
  });
  int sum = 0;
  for (const int status : statuses) {
    EXPECT_LE(status, kRuns);
    sum += status;
  }
  EXPECT_EQ(sum, kRuns);
  auto store = *OpenSqliteStore(State());
  for (int i = 0; i < kRuns; ++i) EXPECT_TRUE(store->GetLease(fmt::format("run_{}", i))->has_value()) << i;
  EXPECT_EQ(store->RunsWithStatus(RunStatus::kClaimed, 100)->size(), std::size_t{kRuns});
}

TEST_F(PlaneProcessesTest, TwoStoresOfOneProcessCannotClaimTheSameRun) {
  auto first = *OpenSqliteStore(State());
  auto second = *OpenSqliteStore(State());
  ASSERT_TRUE(MakeQueuedRuns(*first, 1));
  ASSERT_EQ(first->Queued("p", 1)->size(), 1u);
  ASSERT_EQ(second->Queued("p", 1)->size(), 1u) << "both have seen it waiting";
  EXPECT_TRUE(Claim(*first, "run_0", "rnr_1"));
  EXPECT_EQ(Claim(*second, "run_0", "rnr_2").error().code, Code::kInvalid);
  EXPECT_EQ((*second->GetLease("run_0"))->runner_id, "rnr_1");
}

TEST_F(PlaneProcessesTest, OneChainGrowsUnderSeveralProcessesAndLosesNothing) {
  constexpr int kProcesses = 3, kEvents = 40;
  ASSERT_TRUE(MakeQueuedRuns(**OpenSqliteStore(State()), 1));
  // Everybody appends at the head they last saw; who was too slow gets the error, looks again and tries again.
  const auto statuses = InProcesses(kProcesses, [&](int process) {
    auto store = OpenSqliteStore(State(), {.busy_timeout = Millis{60'000}});
    if (!store) return 1;
    for (int n = 0; n < kEvents;) {
      const auto run = (*store)->GetRun("run_0");
      if (!run) return 2;
      const std::string text = fmt::format("{}/{}", process, n), hash = Hash(run->head + text);
      const auto t = (*store)->Begin();
      if (!t) return 3;
      const NewEvent event{.seq = run->event_count, .prev = run->head, .hash = hash, .text = text};
      const auto appended = (*t)->AppendEvents("run_0", {&event, 1});
      if (!appended && appended.error().code == Code::kInvalid) continue;
      if (!appended || !(*t)->Commit(Durability::kBuffered)) return 4;
      ++n;
    }
    return 0;
  });
  EXPECT_THAT(statuses, testing::Each(0));
  auto store = *OpenSqliteStore(State());
  const auto texts = *store->Events("run_0");
  ASSERT_EQ(texts.size(), std::size_t{kProcesses * kEvents});
  std::string head = Hash("contract");
  std::vector<int> next(kProcesses);
  for (const std::string& text : texts) {
    const int process = text.at(0) - '0';
    EXPECT_EQ(text, fmt::format("{}/{}", process, next.at(static_cast<std::size_t>(process))++)) << "lost or twice";
    head = Hash(head + text);
  }
  EXPECT_EQ(store->GetRun("run_0")->head, head);
}

TEST_F(PlaneProcessesTest, TheSlowerOfTwoAppendersIsRefused) {
  auto first = *OpenSqliteStore(State());
  auto second = *OpenSqliteStore(State());
  ASSERT_TRUE(MakeQueuedRuns(*first, 1));
  const std::string prev = Hash("contract"), a = Hash("a"), b = Hash("b");
  const auto append = [&](Store& store, const std::string& hash, std::string_view text) -> Result<> {
    const auto t = WRIT_TRY("begin", store.Begin());
    const NewEvent event{.seq = 0, .prev = prev, .hash = hash, .text = text};
    WRIT_TRY("append", t->AppendEvents("run_0", {&event, 1}));
    return t->Commit(Durability::kDurable);
  };
  ASSERT_TRUE(append(*first, a, "first"));
  EXPECT_EQ(append(*second, b, "second").error().code, Code::kInvalid);
  EXPECT_EQ(*second->Events("run_0"), std::vector<std::string>{"first"});
}

TEST_F(PlaneProcessesTest, Attack34_ADiskThatFillsUpWithinAChangeUndoesTheGroup) {
  const std::string mount = directory_.path() + "/disk";
  ASSERT_EQ(::mkdir(mount.c_str(), 0700), 0);
  constexpr int kCannot = 77;
  const auto statuses = InProcesses(1, [&](int) {
    if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("disk", mount.c_str(), "tmpfs", 0, "size=1m,mode=0700") != 0) {
      return kCannot;
    }
    const auto state = StateDir::Open(mount + "/state", StateAccess::kWrite);
    if (!state) return 1;
    auto store = OpenSqliteStore(*state);
    if (!store || !MakeQueuedRuns(**store, 1)) return 2;
    {
      const auto t = *(*store)->Begin();
      if (!t->AddPrincipal({.id = "p", .name = "kept first", .role = "r", .token_hash = Hash("p")})) return 3;
      // More than the disk holds and than the page cache keeps back; the last change would have been refused anyway.
      bool went_on = false;
      const auto full = t->Within([&]() -> Result<bool> {
        for (int i = 0; i < 1000; ++i) {
          const auto put = t->PutDocument("run_0", fmt::format("d{}", i), std::string(20'000, 'd'));
          if (put) continue;
          if (put.error().code != Code::kExhausted) return Fail(Code::kInternal, "{}", put.error().what);
          went_on = t->SpendNonce("n", {}).has_value();
          return false;  // swallowed: the caller must still learn of it
        }
        return true;
      });
      const auto committed = t->Commit(Durability::kDurable);
      if (committed) return 4;
      if (committed.error().code != Code::kExhausted) return 5;
      if (went_on) return 6;
      if (!full && full.error().code != Code::kExhausted) return 7;
    }
    // Nothing of the group is there, and the store reads on.
    if ((*store)->FindPrincipal("kept first").value().has_value()) return 8;
    if ((*store)->GetDocument("run_0", "d0").value().has_value()) return 9;
    if ((*store)->Queued("p", 10)->size() != 1) return 10;
    // Room again: the same store object works on.
    if (::mount("disk", mount.c_str(), "tmpfs", MS_REMOUNT, "size=16m") != 0) return 11;
    const auto done = Claim(**store, "run_0", "rnr_1");
    if (!done) {
      fmt::print(stderr, "{}\n", done.error().what);
      return 12;
    }
    return OpenSqliteStore(*state) ? 0 : 13;
  });
  if (statuses.front() == kCannot) GTEST_SKIP() << "mounting a tmpfs needs CAP_SYS_ADMIN";
  EXPECT_EQ(statuses.front(), 0);
}

}  // namespace
}  // namespace writ::storage
