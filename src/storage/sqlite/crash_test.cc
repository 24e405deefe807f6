#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>

#include "crypto/digest.h"
#include "storage/sqlite/crash_vfs_for_test.h"
#include "storage/sqlite/hashes_for_test.h"
#include "storage/sqlite/open.h"
#include "sys/file.h"

// Attack case 34 for the store: whatever stops it, at any write, leaves the old or the new state.
namespace writ::storage {
namespace {

using crash_vfs::Mode;

constexpr std::string_view kContract = "contract";

std::string EventText(std::uint64_t seq) { return fmt::format("event {} {}", seq, std::string(seq * 300, 'x')); }
std::string EventHash(std::uint64_t count) { return count == 0 ? Hash(kContract) : Hash(EventText(count - 1)); }

Result<> AppendEvents(Transaction& transaction, const std::string& id, std::uint64_t from, std::uint64_t to) {
  for (std::uint64_t seq = from; seq < to; ++seq) {
    const std::string prev = EventHash(seq), hash = EventHash(seq + 1), text = EventText(seq);
    WRIT_TRY("event", transaction.AppendEvent(id, {.seq = seq, .prev = prev, .hash = hash, .text = text}));
  }
  return {};
}

/// What a plane stores with a run: all of it before a commit that is durable, so all of it or nothing is found.
Result<> PlaneRows(Transaction& t, const std::string& id) {
  WRIT_TRY("document", t.PutDocument(id, "request", std::string(5000, 'q')));
  WRIT_TRY("principal", t.AddPrincipal({.id = "prn_" + id, .name = id, .role = "admin", .token_hash = Hash(id)}));
  WRIT_TRY("refused", t.Within([&]() -> Result<bool> {
    const auto added = t.AddPrincipal({.id = "no", .name = "refused", .role = "admin", .token_hash = Hash("no")});
    if (!added) return std::unexpected(added.error());
    return false;
  }));
  WRIT_TRY("approval", t.AddApproval(id, {.actor_kind = "human",
                                          .actor_id = "zoe",
                                          .digest = Hash(id),
                                          .policy_hash = Hash(id),
                                          .verdict = "approve"}));
  WRIT_TRY("nonce", t.SpendNonce(id, WallTime(Millis(5))));
  return t.Enqueue(id, {.pool = "p", .expires = WallTime(Millis(5))});
}

/// What a run stores, commit by commit. After each one `report` is told which.
Result<> OneRun(Store& store, const std::string& id, const std::function<void(char)>& report) {
  {
    const auto t = WRIT_TRY("begin", store.Begin());
    WRIT_TRY("decide", t->AppendDecision(kGenesis, {.kind = DecisionKind::kAllow, .run_id = id, .digest = Hash(id)}));
    WRIT_TRY("create", t->CreateRun({.id = id}));
    WRIT_TRY("contract", t->SetContract(id, kContract, Hash(kContract)));
    WRIT_TRY("events", AppendEvents(*t, id, 0, 2));
    WRIT_TRY("plane", PlaneRows(*t, id));
    WRIT_TRY("commit", t->Commit(Durability::kDurable));
  }
  report('C');
  {
    const auto t = WRIT_TRY("begin", store.Begin());
    WRIT_TRY("events", AppendEvents(*t, id, 2, 5));
    WRIT_TRY("claim", t->Claim(id, {.runner_id = "rnr", .claim_id = "c", .until = WallTime(Millis(7))}, WallTime{}));
    WRIT_TRY("commit", t->Commit(Durability::kBuffered));
  }
  report('E');
  {
    const auto t = WRIT_TRY("begin", store.Begin());
    WRIT_TRY("events", AppendEvents(*t, id, 5, 6));
    WRIT_TRY("artifact", t->AddArtifact(id, {.kind = "log", .name = "", .hash = Hash("log"), .bytes = 3}));
    WRIT_TRY("receipt", t->SetReceipt(id, "receipt", EventHash(6), RunStatus::kCompleted, WallTime(Millis(9))));
    WRIT_TRY("commit", t->Commit(Durability::kDurable));
  }
  report('R');
  return {};
}

class CrashTest : public testing::Test {
 protected:
  /// In memory: what a disk would keep is simulated, and a thousand real syncs would take minutes.
  CrashTest()
      : directory_(
            *sys::TemporaryDirectory::Create(::access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", "writ-crash-")) {}

  std::string StatePath(int n) const { return fmt::format("{}/{}", directory_.path(), n); }
  static StateDir Open(const std::string& path) { return *StateDir::Open(path, StateAccess::kWrite); }

  struct Child {
    bool crashed = false;
    std::set<char> reported;  ///< commits that returned success
  };
  /// Opens the store and makes one run in a process with the crashing VFS.
  static Child RunChild(const std::string& path, const crash_vfs::Plan& plan, const std::string& id) {
    int reports[2];
    if (::pipe(reports) != 0) ::abort();
    const pid_t pid = ::fork();
    if (pid == 0) {
      const auto report = [&](char what) {
        if (::write(reports[1], &what, 1) != 1) ::_exit(3);
      };
      {
        const char* vfs = crash_vfs::Register(plan);
        // A threshold of a few pages makes closing move the log into the database, so that is interrupted too.
        auto store = OpenSqliteStore(Open(path), {.vfs = vfs, .checkpoint_pages = 4});
        if (store) report('O');
        if (store && OneRun(**store, id, report)) report('D');
      }
      ::_exit(0);
    }
    ::close(reports[1]);
    Child child;
    char what = 0;
    while (::read(reports[0], &what, 1) == 1) child.reported.insert(what);
    ::close(reports[0]);
    int status = 0;
    ::waitpid(pid, &status, 0);
    EXPECT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
    child.crashed = WEXITSTATUS(status) == crash_vfs::kCrashed;
    EXPECT_TRUE(child.crashed || WEXITSTATUS(status) == 0) << WEXITSTATUS(status);
    return child;
  }

  /// Whole, consistent, and nothing lost that was promised.
  static void Check(const std::string& path, const Child& child, const std::string& id, std::uint64_t decisions_before,
                    Mode mode) {
    if (mode == Mode::kPowerCut) ::unlink((path + "/writ.db-shm").c_str());  // it is memory, not storage
    auto opened = OpenSqliteStore(Open(path));
    ASSERT_TRUE(opened) << opened.error().what;
    Store& store = **opened;
    sqlite3* raw = nullptr;
    ASSERT_EQ(sqlite3_open_v2((path + "/writ.db").c_str(), &raw, SQLITE_OPEN_READONLY, nullptr), SQLITE_OK);
    for (const char* sql : {"PRAGMA integrity_check", "PRAGMA foreign_key_check"}) {
      const auto row = [](void* bad, int, char** columns, char**) {
        if (std::string_view(columns[0]) != "ok") *static_cast<std::string*>(bad) += columns[0];
        return 0;
      };
      std::string bad;
      EXPECT_EQ(sqlite3_exec(raw, sql, row, &bad, nullptr), SQLITE_OK);
      EXPECT_EQ(bad, "");
    }
    sqlite3_close(raw);

    const auto run = store.GetRun(id);
    const auto decisions = VerifyDecisions(store, kGenesis);
    ASSERT_TRUE(decisions) << decisions.error().what;
    EXPECT_EQ(decisions->count, decisions_before + (run ? 1 : 0)) << "the decision and the contract are one";
    EXPECT_TRUE(run || !child.reported.contains('C')) << "a durable contract was lost";
    EXPECT_EQ(store.FindPrincipalByToken(Hash(id))->has_value(), run.has_value());
    EXPECT_EQ(*store.FindPrincipal("refused"), std::nullopt);
    if (run) {
      EXPECT_EQ(run->contract, kContract);
      EXPECT_TRUE(run->event_count == 2 || run->event_count == 5 || run->event_count == 6) << run->event_count;
      EXPECT_EQ(run->head, EventHash(run->event_count));
      const auto events = store.Events(id);
      ASSERT_TRUE(events);
      ASSERT_EQ(events->size(), run->event_count);
      for (std::uint64_t seq = 0; seq < events->size(); ++seq) EXPECT_EQ(events->at(seq), EventText(seq));
      const bool ended = run->event_count == 6;
      EXPECT_EQ(run->receipt.has_value(), ended);
      const bool claimed = run->event_count == 5;
      EXPECT_EQ(run->status, ended ? RunStatus::kCompleted : claimed ? RunStatus::kClaimed : RunStatus::kCreated);
      EXPECT_EQ(store.GetLease(id)->has_value(), claimed);
      EXPECT_EQ(store.Queued("p", 10)->size(), ended || claimed ? 0u : 1u);
      EXPECT_EQ(*store.GetDocument(id, "request"), std::string(5000, 'q'));
      EXPECT_EQ(store.Approvals(id)->size(), 1u);
      EXPECT_EQ(store.Artifacts(id)->size(), ended ? 1u : 0u);
      EXPECT_EQ(store.Unfinished()->size(), ended ? 0u : 1u);
      EXPECT_TRUE(ended || !child.reported.contains('R')) << "a durable receipt was lost";
      EXPECT_TRUE(mode == Mode::kPowerCut || run->event_count >= 5 || !child.reported.contains('E'));
    }
    // The next command can work: it ends what was left behind and makes another run.
    if (run && run->event_count < 6) {
      const auto t = *store.Begin();
      ASSERT_TRUE(AppendEvents(*t, id, run->event_count, 6));
      ASSERT_TRUE(t->SetReceipt(id, "recovered", EventHash(6), RunStatus::kFailed, WallTime(Millis(10))));
      ASSERT_TRUE(t->Commit(Durability::kDurable));
    }
    const auto next = OneRun(store, "next-" + id, [](char) {});
    EXPECT_TRUE(next) << next.error().what;
    EXPECT_TRUE(VerifyDecisions(store, kGenesis));
  }

  /// Stops at the first, second, ... operation until a child gets through.
  void StopEverywhere(Mode mode, bool fresh, unsigned seeds = 1) {
    int n = 0;
    int stops = 0;
    for (int at = 1;; ++at) {
      bool stopped = false;
      for (unsigned seed = 0; seed < seeds; ++seed) {
        SCOPED_TRACE(fmt::format("operation {}, seed {}", at, seed));
        const std::string path = StatePath(n++);
        std::uint64_t decisions = 0;
        if (!fresh) {
          auto store = OpenSqliteStore(Open(path), {.checkpoint_pages = 1 << 20});
          ASSERT_TRUE(store) << store.error().what;
          ASSERT_TRUE(OneRun(**store, "earlier", [](char) {}));
          decisions = 1;
        }
        const Child child = RunChild(path, {.mode = mode, .at = at, .seed = seed}, "run_1");
        const bool failed = mode == Mode::kFull || mode == Mode::kIoError;
        stopped = failed ? !child.reported.contains('D') : child.crashed;
        Check(path, child, "run_1", decisions, mode);
        if (HasFatalFailure() || HasFailure()) return;
      }
      stops += stopped ? 1 : 0;
      // Failing to move the log on closing is no failure of the run, so look a little further.
      if (!stopped && (mode == Mode::kKill || mode == Mode::kTorn || mode == Mode::kPowerCut)) break;
      if (at > 400) break;
      if (!stopped && at > stops + 40) break;
    }
    EXPECT_GT(stops, 10) << "the scenario has too few writes to mean anything";
    RecordProperty("stops", stops);
  }

  sys::TemporaryDirectory directory_;
};

TEST_F(CrashTest, Attack34_KilledAtEveryWriteOfAFirstRun) { StopEverywhere(Mode::kKill, true); }
TEST_F(CrashTest, Attack34_KilledAtEveryWriteOfALaterRun) { StopEverywhere(Mode::kKill, false); }
TEST_F(CrashTest, Attack34_KilledInTheMiddleOfEveryWrite) { StopEverywhere(Mode::kTorn, false); }
TEST_F(CrashTest, Attack34_PowerCutAtEveryWriteOfAFirstRun) { StopEverywhere(Mode::kPowerCut, true, 2); }
TEST_F(CrashTest, Attack34_PowerCutAtEveryWriteOfALaterRun) { StopEverywhere(Mode::kPowerCut, false, 4); }
TEST_F(CrashTest, Attack34_DiskFullFromEveryWriteOn) { StopEverywhere(Mode::kFull, false); }
TEST_F(CrashTest, Attack34_InputOutputErrorAtEveryWrite) { StopEverywhere(Mode::kIoError, false); }

}  // namespace
}  // namespace writ::storage
