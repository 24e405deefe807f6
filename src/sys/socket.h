#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/deadline.h"
#include "base/error.h"
#include "sys/unique_fd.h"

namespace writ::sys {

/// Most descriptors that one message may carry; the kernel's own bound is 253 (SCM_MAX_FD).
constexpr std::size_t kMessageFdsMax = 24;

/// A received datagram of a SOCK_SEQPACKET socket.
struct Message {
  std::vector<std::uint8_t> bytes;
  std::vector<UniqueFd> fds;
  bool end = false;  ///< the peer has closed: nothing was received
};

/// Two connected SOCK_SEQPACKET | SOCK_CLOEXEC sockets. Source: socketpair(2).
Result<std::pair<UniqueFd, UniqueFd>> SeqpacketPair();

/// Sends one message with descriptors (borrowed). Waits while the queue is full, until `deadline`.
/// Errors: kExhausted for too many descriptors; kDeadline; kUnavailable when the peer has closed.
/// Source: sendmsg(2), unix(7) SCM_RIGHTS.
Result<> SendMessage(const UniqueFd& socket, ByteView bytes, std::span<const int> fds, Deadline deadline);

/// Receives one message of at most `bytes_max`. Received descriptors are close-on-exec.
/// Errors: kDeadline; kInvalid for a message that was cut (larger than bytes_max, or more than kMessageFdsMax fds).
Result<Message> ReceiveMessage(const UniqueFd& socket, std::size_t bytes_max, Deadline deadline);

/// Waits until `fd` is readable or its peer closed. Errors: kDeadline.
Result<> WaitReadable(int fd, Deadline deadline);

}  // namespace writ::sys
