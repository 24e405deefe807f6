#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "api/plane/plane_worker.h"

namespace writ::api {

/// Reads the bodies of calls on their way to the plane's thread. A short one is read at once, on the caller's thread. A
/// long one is read by threads of this object, and only when the plane has let its sender in.
class BodyIntake {
 public:
  static constexpr std::size_t kAtOnceMax = 256u << 10;         ///< bytes read on the caller's thread
  static constexpr std::size_t kBodyBytesMax = 4u << 20;        ///< where a route has no bounds of its own
  static constexpr std::size_t kOpenBodyBytesMax = 64u << 10;   ///< of calls that wait, or that anybody may send
  static constexpr std::size_t kWaitingBytesMax = 512u << 20;   ///< of long bodies that wait to be read
  static constexpr std::size_t kThreads = 2;

  /// `worker` is borrowed. Stop before it is destroyed; destroy this object after it, because its thread calls back.
  explicit BodyIntake(PlaneWorker& worker);
  ~BodyIntake();

  /// Any thread. The job goes to the plane's thread, or is answered here.
  void Take(std::unique_ptr<Job> job);
  /// What waits is answered 503, and so is what comes later. Ends the threads. Idempotent.
  void Stop();

 private:
  void ReadAndPost(std::unique_ptr<Job> job);
  void Post(std::unique_ptr<Job> job);
  void Admit(std::unique_ptr<Job> job);
  void Later(std::unique_ptr<Job> job);
  void Run();

  PlaneWorker& worker_;
  std::mutex mutex_;  ///< guards what follows
  std::condition_variable wake_;
  std::deque<std::unique_ptr<Job>> waiting_;
  std::size_t waiting_bytes_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

/// The text of a string member of an object, found without reading the values of the others. nullopt: the first
/// `text.size()` bytes do not tell. Only plain characters without escapes count, and names nested deeper do not.
std::optional<std::string_view> FindPlainMember(std::string_view text, std::string_view name);

}  // namespace writ::api
