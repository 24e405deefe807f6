#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "storage/store.h"

namespace writ::plane {

/// One call's part of the store's transaction, and what memory does when that part is stored or undone. Several calls
/// share one transaction and one commit; each is undone alone when it fails.
class Change {
 public:
  /// Both borrowed.
  Change(storage::Transaction& transaction, WallTime now, MonoTime mono)
      : transaction_(transaction), now_(now), mono_(mono) {}
  Change(const Change&) = delete;
  Change& operator=(const Change&) = delete;

  storage::Transaction& operator*() { return touched_ = true, transaction_; }
  storage::Transaction* operator->() { return touched_ = true, &transaction_; }
  bool touched() const { return touched_; }  ///< whether anything may have been changed
  WallTime now() const { return now_; }   ///< the same for the whole call
  MonoTime mono() const { return mono_; }

  /// Called once what was changed is durable, in order, before the caller gets its answer.
  void AfterCommit(std::function<void()> then) { after_.push_back(std::move(then)); }
  /// Called when what was changed is undone, last first: memory that ran ahead of the store comes back.
  void OnUndo(std::function<void()> then) { undo_.push_back(std::move(then)); }

  void Committed() {
    for (const auto& then : after_) then();
    after_.clear(), undo_.clear();
  }
  void Undone() {
    for (auto then = undo_.rbegin(); then != undo_.rend(); ++then) (*then)();
    after_.clear(), undo_.clear();
  }

 private:
  storage::Transaction& transaction_;
  WallTime now_;
  MonoTime mono_;
  bool touched_ = false;
  std::vector<std::function<void()>> after_, undo_;
};

}  // namespace writ::plane
