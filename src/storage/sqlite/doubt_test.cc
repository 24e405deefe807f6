// What a store does after the disk has refused to keep what it had taken.

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/digest.h"
#include "storage/sqlite/crash_vfs_for_test.h"
#include "storage/sqlite/open.h"
#include "sys/file.h"

namespace writ::storage {
namespace {

constexpr int kOperationsMax = 60;

Result<> StoreRun(storage::Store& store, const std::string& id) {
  const auto t = WRIT_TRY("begin", store.Begin());
  WRIT_TRY("create", t->CreateRun({.id = id}));
  return t->Commit(Durability::kDurable);
}

/// Fails each operation of a durable commit in turn, the sync among them. 0 when that went as it should.
int FailEachOperation(const std::string& directory) {
  const auto state = StateDir::Open(directory, StateAccess::kWrite);
  if (!state) return 1;
  const char* vfs = crash_vfs::Register({});
  int doubts = 0;
  for (int at = 1; at <= kOperationsMax; ++at) {
    auto store = OpenSqliteStore(*state, {.vfs = vfs});
    if (!store || !StoreRun(**store, fmt::format("run_{}_before", at))) return 2;
    crash_vfs::plan = {.mode = crash_vfs::Mode::kIoError, .at = crash_vfs::operations + at};
    const auto stored = StoreRun(**store, fmt::format("run_{}", at));
    crash_vfs::plan = {};
    const auto again = StoreRun(**store, fmt::format("run_{}_again", at));
    if (stored || stored.error().code != Code::kCorrupt) {
      if (!again) return 3;  // nothing was stored, or all of it: the store goes on
    } else {
      ++doubts;
      if (again || again.error().code != Code::kCorrupt) return 4;
      store->reset();
      auto reopened = OpenSqliteStore(*state, {.vfs = vfs});
      if (!reopened || !StoreRun(**reopened, fmt::format("run_{}_reopened", at))) return 5;
    }
    if (stored) return doubts == 1 ? 0 : 6;
  }
  return 7;
}

TEST(Doubt, AfterAFailedSyncNothingIsBegunUntilTheStoreIsOpenedAgain) {
  const auto directory = *sys::TemporaryDirectory::Create("/tmp", "writ-doubt-");
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(FailEachOperation(directory.path() + "/state"));
  int status = 0;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace writ::storage
