#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>

#include "storage/sqlite/open.h"
#include "sys/file.h"

namespace writ::storage {
namespace {

TEST(LogSize, StaysBoundedOverManyShortCommands) {
  const auto directory = *sys::TemporaryDirectory::Create(testing::TempDir(), "log_size");
  const auto state = *StateDir::Open(directory.path() + "/state", StateAccess::kWrite);
  constexpr int kPages = 30;
  off_t largest = 0;
  for (int i = 0; i < 100; ++i) {
    {
      auto store = OpenSqliteStore(state, {.checkpoint_pages = kPages});
      ASSERT_TRUE(store) << store.error().what;
      const auto transaction = *(*store)->Begin();
      ASSERT_TRUE(transaction->PutValue(fmt::format("key {}", i), std::string(2000, 'v')));
      ASSERT_TRUE(transaction->Commit(Durability::kDurable));
    }
    struct stat log{};
    if (::stat(state.File("writ.db-wal").c_str(), &log) == 0) largest = std::max(largest, log.st_size);
  }
  EXPECT_LT(largest, 2 * kPages * 4120) << "bytes";
  EXPECT_GT(largest, kPages * 4120) << "the scenario never moves the log";
  struct stat database{};
  ASSERT_EQ(::stat(state.File("writ.db").c_str(), &database), 0);
  EXPECT_GT(database.st_size, 150'000) << "most values must have reached the database";
  auto store = OpenSqliteStore(state);
  ASSERT_TRUE(store);
  for (int i = 0; i < 100; ++i) EXPECT_TRUE((*store)->GetValue(fmt::format("key {}", i))->has_value()) << i;
}

}  // namespace
}  // namespace writ::storage
