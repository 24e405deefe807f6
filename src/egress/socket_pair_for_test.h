#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "sys/unique_fd.h"

namespace writ::egress::test {

/// Two connected stream sockets that never block.
struct SocketPair {
  sys::UniqueFd mine, peer;
};
inline SocketPair MakeSocketPair() {
  int ends[2] = {-1, -1};
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
  return {sys::UniqueFd(ends[0]), sys::UniqueFd(ends[1])};
}

}  // namespace writ::egress::test
