#include "sys/socket.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace writ::sys {
namespace {

Result<> WaitFor(int fd, short events, Deadline deadline) {
  for (;;) {
    pollfd item{fd, events, 0};
    const int ready = ::poll(&item, 1, deadline.PollTimeoutMs());
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) return FailErrno("poll");
    if (deadline.Passed()) return Fail(Code::kDeadline, "no answer within the deadline");
  }
}

}  // namespace

Result<std::pair<UniqueFd, UniqueFd>> SeqpacketPair() {
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) return FailErrno("socketpair");
  return std::pair{UniqueFd{pair[0]}, UniqueFd{pair[1]}};
}

Result<> WaitReadable(int fd, Deadline deadline) { return WaitFor(fd, POLLIN, deadline); }

Result<> SendMessage(const UniqueFd& socket, ByteView bytes, std::span<const int> fds, Deadline deadline) {
  if (fds.size() > kMessageFdsMax)
    return Fail(Code::kExhausted, "a message carries at most {} descriptors, not {}", kMessageFdsMax, fds.size());
  iovec part{const_cast<std::uint8_t*>(bytes.data()), bytes.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMessageFdsMax)] = {};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  if (!fds.empty()) {
    header.msg_control = control;
    header.msg_controllen = CMSG_SPACE(sizeof(int) * fds.size());
    cmsghdr* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int) * fds.size());
    std::memcpy(CMSG_DATA(rights), fds.data(), sizeof(int) * fds.size());
  }
  for (;;) {
    const ssize_t sent = ::sendmsg(socket.get(), &header, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) return {};
    if (errno == EAGAIN) {
      WRIT_TRY("send message", WaitFor(socket.get(), POLLOUT, deadline));
    } else if (errno != EINTR) {
      return FailErrno("send message");
    }
  }
}

Result<Message> ReceiveMessage(const UniqueFd& socket, std::size_t bytes_max, Deadline deadline) {
  Message message;
  const auto buffer = std::make_unique_for_overwrite<std::uint8_t[]>(bytes_max);
  iovec part{buffer.get(), bytes_max};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMessageFdsMax)];
  msghdr header{};
  ssize_t got = 0;
  for (;;) {
    header = msghdr{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    got = ::recvmsg(socket.get(), &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (got >= 0) break;
    if (errno == ECONNRESET) {
      got = 0;
      header.msg_controllen = 0;
      break;
    }
    if (errno == EAGAIN) {
      WRIT_TRY("receive message", WaitFor(socket.get(), POLLIN, deadline));
    } else if (errno != EINTR) {
      return FailErrno("receive message");
    }
  }
  for (cmsghdr* item = CMSG_FIRSTHDR(&header); item != nullptr; item = CMSG_NXTHDR(&header, item)) {
    if (item->cmsg_level != SOL_SOCKET || item->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (item->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(item) + i * sizeof(int), sizeof fd);
      message.fds.emplace_back(fd);
    }
  }
  if ((header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
    return Fail(Code::kInvalid, "received message is larger than {} bytes or {} descriptors", bytes_max, kMessageFdsMax);
  message.bytes.assign(buffer.get(), buffer.get() + got);
  message.end = got == 0 && message.fds.empty();
  return message;
}

}  // namespace writ::sys
