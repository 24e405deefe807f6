#include "egress/http_side.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>

#include "crypto/secret.h"
#include "egress/sockets.h"

namespace writ::egress {

void HttpSide::Note(std::uint32_t events) {
  const bool now_ending = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
  if (now_ending) ending = true;
  if (now_ending || (events & EPOLLIN) != 0) readable = true;
  if (now_ending || (events & EPOLLOUT) != 0) writable = true;
  if (tls) readable = writable = true;
}

bool HttpSide::Flush() {
  if (out.empty() || !writable || !fd.valid() || broken) return false;
  const Io io = tls ? tls->Write(out.data(), out.size()) : Send(fd.get(), out.data(), out.size());
  if (io.end == IoEnd::kMoved) {
    if (secret && io.bytes == out.size()) crypto::Wipe(out);
    out.erase(0, std::min(io.bytes, out.size()));
    return true;
  }
  writable = false;
  broken = io.end != IoEnd::kBlocked;
  return false;
}

bool HttpSide::Fill(std::span<char> scratch, std::size_t bytes_max) {
  if (!readable || ended || !fd.valid() || in.size() >= bytes_max) return false;
  const std::size_t want = std::min(bytes_max - in.size(), scratch.size());
  const Io io = tls ? tls->Read(scratch.data(), want) : Receive(fd.get(), scratch.data(), want);
  if (io.end == IoEnd::kBlocked) {
    readable = false;
    return false;
  }
  if (io.end != IoEnd::kMoved) {
    ended = true;
    broken = io.end == IoEnd::kBroken;
    cut = tls && broken;
    return true;
  }
  in.append(scratch.data(), io.bytes);
  if (io.bytes < want && !ending && !tls) readable = false;
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

bool HttpSide::EndWriting() {
  if (tls) tls->EndWriting();
  return ::shutdown(fd.get(), SHUT_WR) == 0;
}

void HttpSide::Drop() {
  watch.Stop();
  tls.reset();
  if (secret) crypto::Wipe(out);
  fd.Reset();
  in.clear(), out.clear();
  writable = true;
  readable = ending = ended = broken = cut = secret = false;
  scanner.Reset();
}

}  // namespace writ::egress
