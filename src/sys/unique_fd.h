#pragma once

#include <unistd.h>

#include <utility>

namespace writ::sys {

/// Owns one descriptor and closes it once. Every fd is opened O_CLOEXEC and lives in one of these.
class UniqueFd {
 public:
  explicit UniqueFd(int fd = -1) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.Release()) {}
  UniqueFd& operator=(UniqueFd other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~UniqueFd() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }  ///< lend
  bool valid() const { return fd_ >= 0; }
  [[nodiscard]] int Release() { return std::exchange(fd_, -1); }  ///< give away
  void Reset() { UniqueFd{}.Swap(*this); }

 private:
  void Swap(UniqueFd& other) noexcept { std::swap(fd_, other.fd_); }
  int fd_;
};

}  // namespace writ::sys
