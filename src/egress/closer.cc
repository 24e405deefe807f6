#include "egress/closer.h"

#include <algorithm>
#include <iterator>
#include <system_error>
#include <utility>

namespace writ::egress {

Closer::~Closer() {
  if (!thread_.joinable()) return;
  HandOver();
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

bool Closer::Begin() {
  if (std::exchange(tried_, true)) return thread_.joinable();
  try {
    thread_ = std::thread([this] { Run(); });
  } catch (const std::system_error&) {
    return false;  // Close does it then
  }
  return true;
}

void Closer::Close(sys::UniqueFd descriptor) {
  if (!descriptor.valid() || given_.size() >= waiting_max_ || !Begin()) return;
  given_.push_back(std::move(descriptor));
  if (!end_of_round_.armed()) end_of_round_.ArmNow(loop_);
}

void Closer::HandOver() {
  std::vector<sys::UniqueFd> given = std::exchange(given_, {});  // what there is no room for is closed here
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() + given.size() > waiting_max_) return;
    std::ranges::move(given, std::back_inserter(waiting_));
  }
  changed_.notify_all();
}

void Closer::Finish() {
  HandOver();
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return waiting_.empty() && !busy_; });
}

void Closer::Run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return !waiting_.empty() || stop_; });
    if (waiting_.empty()) return;
    busy_ = true;
    auto mine = std::exchange(waiting_, {});
    lock.unlock();
    mine.clear();
    lock.lock();
    busy_ = false;
    if (waiting_.empty()) changed_.notify_all();
  }
}

}  // namespace writ::egress
