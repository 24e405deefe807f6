#include "egress/http_side.h"

#include <sys/epoll.h>

#include <algorithm>

#include "egress/sockets.h"

namespace writ::egress {

void HttpSide::Note(std::uint32_t events) {
  const bool now_ending = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
  if (now_ending) ending = true;
  if (now_ending || (events & EPOLLIN) != 0) readable = true;
  if (now_ending || (events & EPOLLOUT) != 0) writable = true;
}

bool HttpSide::Flush() {
  if (out.empty() || !writable || !fd.valid() || broken) return false;
  const Io io = Send(fd.get(), out.data(), out.size());
  if (io.end == IoEnd::kMoved) {
    out.erase(0, io.bytes);
    return true;
  }
  writable = false;
  broken = io.end != IoEnd::kBlocked;
  return false;
}

bool HttpSide::Fill(std::span<char> scratch, std::size_t bytes_max) {
  if (!readable || ended || !fd.valid() || in.size() >= bytes_max) return false;
  const std::size_t want = std::min(bytes_max - in.size(), scratch.size());
  const Io io = Receive(fd.get(), scratch.data(), want);
  if (io.end == IoEnd::kBlocked) {
    readable = false;
    return false;
  }
  if (io.end != IoEnd::kMoved) {
    ended = true;
    broken = io.end == IoEnd::kBroken;
    return true;
  }
  in.append(scratch.data(), io.bytes);
  if (io.bytes < want && !ending) readable = false;
  return true;
}

net::Http1Result<std::string> HttpSide::TakeHead() {
  const auto length = scanner.Scan(in);
  if (!length) return std::unexpected(length.error());
  if (!*length) return std::string();
  std::string head = in.substr(0, **length);
  in.erase(0, **length);
  scanner.Reset();
  return head;
}

void HttpSide::Drop() {
  watch.Stop();
  fd.Reset();
  in.clear(), out.clear();
  writable = true;
  readable = ending = ended = broken = false;
  scanner.Reset();
}

}  // namespace writ::egress
