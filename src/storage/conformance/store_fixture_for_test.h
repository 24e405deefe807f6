#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "crypto/digest.h"
#include "storage/memory/memory_store.h"
#include "storage/sqlite/open.h"
#include "storage/store.h"
#include "sys/file.h"

namespace writ::storage {

inline std::string Hash(std::string_view text) { return crypto::Sha256Hex(text); }
inline WallTime At(std::int64_t ms) { return WallTime(Millis(ms)); }

/// Makes stores of one kind. The SQLite ones live in a temporary state directory.
class StoreTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (std::string_view(GetParam()) == "memory") {
      store_ = MakeMemoryStore();
      return;
    }
    directory_.emplace(*sys::TemporaryDirectory::Create("/tmp", "writ-store-"));
    state_.emplace(*StateDir::Open(directory_->path(), StateAccess::kWrite));
    auto store = OpenSqliteStore(*state_);
    ASSERT_TRUE(store) << store.error().what;
    store_ = *std::move(store);
  }

  /// Runs `change` in a transaction of its own and commits it.
  template <class Change>
  Result<> Do(Change change, Durability durability = Durability::kBuffered) {
    auto transaction = store_->Begin();
    if (!transaction) return std::unexpected(transaction.error());
    Result<> done = change(**transaction);
    if (!done) return done;
    return (*transaction)->Commit(durability);
  }
  void CreateRun(const std::string& id, WallTime at = At(1000)) {
    const auto done = Do([&](Transaction& t) { return t.CreateRun({.id = id, .created = at}); });
    ASSERT_TRUE(done) << done.error().what;
  }
  void CreateContractedRun(const std::string& id, WallTime at = At(1000)) {
    CreateRun(id, at);
    const auto done = Do([&](Transaction& t) { return t.SetContract(id, "contract of " + id, Hash(id)); });
    ASSERT_TRUE(done) << done.error().what;
  }
  void Finish(const std::string& id, WallTime at) {
    const auto done = Do([&](Transaction& t) { return t.SetReceipt(id, "{}", Hash(id), RunStatus::kCompleted, at); });
    ASSERT_TRUE(done) << done.error().what;
  }

  std::optional<sys::TemporaryDirectory> directory_;
  std::optional<StateDir> state_;
  std::unique_ptr<Store> store_;
};

}  // namespace writ::storage
