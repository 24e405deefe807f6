#pragma once

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>

#include "sys/unique_fd.h"

namespace writ::bench {

/// The least that a proxy can do, for comparison: takes CONNECT unread, connects to the one server, and splices both
/// ways. No rules, records, counts, limits or deadlines.
class BareRelay {
 public:
  BareRelay(int listener, std::uint16_t server) : listener_(listener), server_(server), epoll_(::epoll_create1(0)) {
    ::fcntl(listener, F_SETFL, O_NONBLOCK);
    Watch(listener, nullptr);
  }

  /// Runs until the process ends.
  [[noreturn]] void Run() {
    for (std::array<epoll_event, 64> events;;) {
      const int count = ::epoll_wait(epoll_.get(), events.data(), events.size(), -1);
      for (int i = 0; i < count; ++i) {
        auto* pair = static_cast<Pair*>(events[static_cast<std::size_t>(i)].data.ptr);
        pair == nullptr ? Accept() : pair->server.valid() ? Move(pair) : Begin(pair);
      }
      for (Pair*& dead : dead_) delete std::exchange(dead, nullptr);
    }
  }

 private:
  struct Pipe {
    Pipe() {
      int ends[2] = {-1, -1};
      static_cast<void>(!::pipe2(ends, O_NONBLOCK | O_CLOEXEC));
      ::fcntl(ends[1], F_SETPIPE_SZ, 512 << 10);
      read = sys::UniqueFd(ends[0]), write = sys::UniqueFd(ends[1]);
    }
    sys::UniqueFd read, write;
    ssize_t held = 0;
    bool ended = false, told = false;
  };
  struct Pair {
    sys::UniqueFd client, server;
    Pipe out, in;
  };

  void Watch(int fd, Pair* pair) {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    event.data.ptr = pair;
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event);
  }

  void Accept() {
    for (int fd; (fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
      auto* pair = new Pair;
      pair->client = sys::UniqueFd(fd);
      Watch(fd, pair);
    }
  }

  void Begin(Pair* pair) {
    char head[1024];
    if (::recv(pair->client.get(), head, sizeof head, 0) <= 0) return;
    pair->server = sys::UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    sockaddr_in to{};
    to.sin_family = AF_INET, to.sin_port = htons(server_), to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int on = 1;
    for (const int fd : {pair->client.get(), pair->server.get()})
      ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ::connect(pair->server.get(), reinterpret_cast<sockaddr*>(&to), sizeof to);
    constexpr std::string_view kYes = "HTTP/1.1 200 OK\r\n\r\n";
    ::send(pair->client.get(), kYes.data(), kYes.size(), MSG_NOSIGNAL);
    Watch(pair->server.get(), pair);
  }

  /// True: there is more to do for this direction, now.
  static void MoveOne(int from, int to, Pipe& pipe) {
    for (;;) {
      while (pipe.held > 0) {
        const ssize_t sent = ::splice(pipe.read.get(), nullptr, to, nullptr, static_cast<std::size_t>(pipe.held),
                                      SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (sent <= 0) return;
        pipe.held -= sent;
      }
      if (pipe.ended) {
        if (!std::exchange(pipe.told, true)) ::shutdown(to, SHUT_WR);
        return;
      }
      pipe.held = ::splice(from, nullptr, pipe.write.get(), nullptr, 512 << 10, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
      if (pipe.held < 0) return;
      pipe.ended = pipe.held == 0;
    }
  }

  void Move(Pair* pair) {
    for (const Pair* dead : dead_) {
      if (dead == pair) return;
    }
    MoveOne(pair->client.get(), pair->server.get(), pair->out);
    MoveOne(pair->server.get(), pair->client.get(), pair->in);
    if (!pair->out.told || !pair->in.told) return;
    for (Pair*& place : dead_) {
      if (place == nullptr) return static_cast<void>(place = pair);
    }
  }

  const int listener_;
  const std::uint16_t server_;
  const sys::UniqueFd epoll_;
  std::array<Pair*, 64> dead_{};  ///< ended in this round of events
};

}  // namespace writ::bench
