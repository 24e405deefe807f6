#pragma once

#include <atomic>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "http/service.h"

namespace writ::http {

struct ServerCore;

/// Events on their way from the service's thread to the connection of a follower. Bounded: past the bound the follower
/// is dropped, never the events of others.
class EventQueue final : public FollowSink {
 public:
  struct Item {
    std::string id, name, data;
  };
  EventQueue(std::weak_ptr<ServerCore> core, std::uint64_t connection, std::size_t bytes_max)
      : core_(std::move(core)), connection_(connection), bytes_max_(bytes_max) {}

  // Any thread.
  void Event(std::string_view id, std::string_view name, std::string_view data) override;
  void End(std::string_view why) override;
  std::size_t Backlog() const override;

  // The connection's thread.
  std::optional<Item> Take();
  /// Why the stream ended, once everything before was taken.
  std::optional<std::string> Ended();
  void Gone();  ///< nobody takes anything any more

 private:
  void Wake();
  const std::weak_ptr<ServerCore> core_;
  const std::uint64_t connection_;
  const std::size_t bytes_max_;
  mutable std::mutex mutex_;  ///< of all below
  std::deque<Item> items_;
  std::size_t bytes_ = 0;
  std::optional<std::string> ended_;
  bool gone_ = false;
};

}  // namespace writ::http
