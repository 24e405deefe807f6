#include "http/event_queue.h"

#include <limits>

#include "http/connection.h"

namespace writ::http {
namespace {

constexpr std::size_t kItemCost = 128;  // of an item that is empty

}  // namespace

void EventQueue::Event(std::string_view id, std::string_view name, std::string_view data) {
  {
    const std::lock_guard lock(mutex_);
    if (gone_ || ended_) return;
    const std::size_t bytes = id.size() + name.size() + data.size() + kItemCost;
    if (bytes > bytes_max_ - bytes_) {
      ended_ = "slow";
    } else {
      bytes_ += bytes;
      items_.push_back({std::string(id), std::string(name), std::string(data)});
    }
  }
  Wake();
}

void EventQueue::End(std::string_view why) {
  {
    const std::lock_guard lock(mutex_);
    if (gone_ || ended_) return;
    ended_ = std::string(why);
  }
  Wake();
}

std::size_t EventQueue::Backlog() const {
  const std::lock_guard lock(mutex_);
  return gone_ || ended_ ? std::numeric_limits<std::size_t>::max() : bytes_;
}

std::optional<EventQueue::Item> EventQueue::Take() {
  const std::lock_guard lock(mutex_);
  if (items_.empty()) return std::nullopt;
  Item item = std::move(items_.front());
  items_.pop_front();
  bytes_ -= item.id.size() + item.name.size() + item.data.size() + kItemCost;
  return item;
}

std::optional<std::string> EventQueue::Ended() {
  const std::lock_guard lock(mutex_);
  return items_.empty() ? ended_ : std::nullopt;
}

void EventQueue::Gone() {
  const std::lock_guard lock(mutex_);
  gone_ = true;
  items_.clear();
}

void EventQueue::Wake() {
  if (const auto core = core_.lock()) core->Post(connection_, [](Connection& connection) { connection.EventsWaiting(); });
}

}  // namespace writ::http
