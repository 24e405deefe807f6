#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

namespace writ::http {

/// Writes lines to a descriptor on a thread of its own, so that a reader that has stopped stops nobody else. Bounded:
/// what finds no room is counted, and the count is written when there is room again. Any thread.
class LogWriter {
 public:
  static constexpr std::size_t kWaitingMax = 4 << 20;  ///< bytes
  explicit LogWriter(int fd);                          ///< borrowed
  ~LogWriter();                                        ///< writes what waits, for a second at most
  LogWriter(const LogWriter&) = delete;
  void Line(std::string_view line);  ///< without its end

 private:
  void Write();
  const int fd_;
  std::mutex mutex_;  ///< of all below
  std::condition_variable changed_;
  std::string waiting_;
  std::size_t lost_ = 0;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace writ::http
