#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <thread>
#include <vector>

#include "egress/event_loop.h"
#include "sys/unique_fd.h"

namespace writ::egress {

/// Closes connections on a thread of its own: close(2) sends the end of a TCP connection, wakes its peer and takes the
/// connection apart, which is a good part of what a short tunnel costs. Its thread begins with the first descriptor.
class Closer final : public EventTarget {
 public:
  /// `waiting_max`: descriptors that may wait for the thread.
  explicit Closer(EventLoop& loop, std::size_t waiting_max = 1024)
      : loop_(loop), waiting_max_(waiting_max), end_of_round_(*this) {}
  Closer(const Closer&) = delete;
  Closer& operator=(const Closer&) = delete;
  ~Closer() override;

  /// Closes it after this round of the loop. Never fails: without a thread, or when too many wait already, it closes it
  /// here. The descriptor must not be watched any more. On the loop's thread only.
  void Close(sys::UniqueFd descriptor);
  /// When it returns, everything given before is closed. On the loop's thread, or after it.
  void Finish();

 private:
  void OnEvents(Watch&, std::uint32_t) override {}
  void OnTimer(Timer&) override { HandOver(); }
  bool Begin();
  void HandOver();
  void Run();

  EventLoop& loop_;
  const std::size_t waiting_max_;
  Timer end_of_round_;
  std::vector<sys::UniqueFd> given_;  ///< in this round
  std::thread thread_;
  bool tried_ = false;  ///< to start it
  std::mutex mutex_;    ///< guards the following
  std::condition_variable changed_;
  std::vector<sys::UniqueFd> waiting_;
  bool busy_ = false, stop_ = false;
};

}  // namespace writ::egress
