#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "sys/unique_fd.h"

namespace writ::egress {

class EventLoop;
class Watch;
class Timer;

/// Who is told about descriptors and timers. Called on the loop's thread only.
class EventTarget {
 public:
  virtual ~EventTarget() = default;
  /// `events` are EPOLL* bits. Edge-triggered: what is not done now is not told again.
  virtual void OnEvents(Watch& watch, std::uint32_t events) = 0;
  virtual void OnTimer(Timer& timer) = 0;
};

/// The registration of one descriptor (borrowed) for reading, writing and hang-up, edge-triggered. Ends with the
/// object, which must go before the descriptor is closed. Source: epoll(7).
class Watch {
 public:
  Watch() = default;
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  ~Watch() { Stop(); }

  /// Errors: kExhausted when the kernel has no room for one more.
  Result<> Start(EventLoop& loop, int fd, EventTarget& target);
  /// Tells `target` from now on; what is ready now is told anew.
  Result<> TakeOver(Watch& other, EventTarget& target);
  void Stop();
  bool active() const { return loop_ != nullptr; }

 private:
  friend class EventLoop;
  EventLoop* loop_ = nullptr;
  EventTarget* target_ = nullptr;
  int fd_ = -1;
};

/// Fires once per Arm. Re-arming allocates nothing.
class Timer {
 public:
  explicit Timer(EventTarget& target) : target_(target) {}
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer() { Disarm(); }

  void Arm(EventLoop& loop, MonoTime when);
  /// Fires in the next round, after the other things that wait for it.
  void ArmNow(EventLoop& loop);
  void Disarm();
  bool armed() const { return loop_ != nullptr; }

 private:
  friend class EventLoop;
  using Queue = std::multimap<MonoTime, Timer*>;
  EventTarget& target_;
  EventLoop* loop_ = nullptr;
  Queue::iterator place_;
  Queue::node_type spare_;
};

/// epoll, timers and a letter box for other threads. One thread runs it; only Post and Stop may be called from others.
class EventLoop {
 public:
  static Result<std::unique_ptr<EventLoop>> Create();

  /// Runs until Stop. Errors: kInternal when epoll itself fails.
  Result<> Run();
  /// After Run has failed: does what other threads post, and nothing else, until Stop.
  void RunPostedOnly();
  /// One round that waits at most `wait`. For tests.
  Result<> RunOnce(Millis wait);
  void Stop();
  /// Runs `work` on the loop's thread, also after Stop as long as Run has not returned.
  void Post(std::function<void()> work);

  /// Monotonic time at the start of this round.
  MonoTime now() const { return now_; }
  /// Destroys `object` at the end of this round, so that it may be on the call stack now.
  void Bury(std::unique_ptr<EventTarget> object) { graveyard_.push_back(std::move(object)); }

 private:
  friend class Watch;
  friend class Timer;
  EventLoop(sys::UniqueFd epoll, sys::UniqueFd letters);
  void FireTimers();
  void ReadLetters();
  int WaitMs(Millis wait_max) const;
  bool Stopped();

  sys::UniqueFd epoll_, letters_;
  MonoTime now_;
  Timer::Queue timers_;
  std::vector<Watch*> round_;  ///< whom this round still tells; a stopped watch is taken out
  std::vector<std::unique_ptr<EventTarget>> graveyard_;
  std::mutex mutex_;  ///< guards posted_ and stop_
  std::vector<std::function<void()>> posted_;
  bool stop_ = false;
};

}  // namespace writ::egress
