#include "egress/closer.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <vector>

#include "egress/socket_pair_for_test.h"

namespace writ::egress {
namespace {

bool Ended(const sys::UniqueFd& peer) {
  char byte = 0;
  return ::read(peer.get(), &byte, 1) == 0;
}

TEST(Closer, EverythingGivenIsClosedWhenFinishReturns) {
  const auto loop = EventLoop::Create().value();
  Closer closer(*loop);
  std::vector<sys::UniqueFd> peers;
  for (int round = 0; round < 50; ++round) {
    for (int i = 0; i < 8; ++i) {
      test::SocketPair pair = test::MakeSocketPair();
      closer.Close(std::move(pair.mine));
      peers.push_back(std::move(pair.peer));
    }
    closer.Finish();
    for (const auto& peer : peers) EXPECT_TRUE(Ended(peer));
    peers.clear();
  }
}

TEST(Closer, ARoundOfTheLoopHandsOver) {
  const auto loop = EventLoop::Create().value();
  Closer closer(*loop);
  test::SocketPair pair = test::MakeSocketPair();
  closer.Close(std::move(pair.mine));
  EXPECT_FALSE(Ended(pair.peer));
  ASSERT_TRUE(loop->RunOnce(Millis(0)));
  pollfd item{pair.peer.get(), POLLIN, 0};
  ASSERT_EQ(::poll(&item, 1, 10'000), 1);
  EXPECT_TRUE(Ended(pair.peer));
}

TEST(Closer, ItsEndClosesWhatWaits) {
  const auto loop = EventLoop::Create().value();
  test::SocketPair pair = test::MakeSocketPair();
  {
    Closer closer(*loop);
    closer.Close(std::move(pair.mine));
    EXPECT_FALSE(Ended(pair.peer));
  }
  EXPECT_TRUE(Ended(pair.peer));
}

TEST(Closer, WhatThereIsNoRoomForIsClosedAtOnce) {
  constexpr std::size_t kRoom = 4;
  const auto loop = EventLoop::Create().value();
  Closer closer(*loop, kRoom);
  closer.Finish();
  closer.Close(sys::UniqueFd());
  std::vector<sys::UniqueFd> peers;
  for (std::size_t i = 0; i < 3 * kRoom; ++i) {
    test::SocketPair pair = test::MakeSocketPair();
    closer.Close(std::move(pair.mine));
    EXPECT_EQ(Ended(pair.peer), i >= kRoom) << i;
    peers.push_back(std::move(pair.peer));
  }
  closer.Finish();
  for (const auto& peer : peers) EXPECT_TRUE(Ended(peer));
}

}  // namespace
}  // namespace writ::egress
