#include "egress/listener.h"

#include <netinet/tcp.h>

#include <string>

#include "egress/proxy_for_test.h"

namespace writ::egress::test {
namespace {

class ListenerTest : public testing::Test {
 protected:
  ListenerTest() : loop_(*EventLoop::Create()) {}
  /// The sockets that a door serves when `count` peers connect.
  std::vector<sys::UniqueFd> ServedOf(std::size_t count) {
    Core core(*loop_, {}, Rules({}), resolver_, observer_);
    Upstream door;
    const Endpoint at = door.endpoint();
    std::vector<sys::UniqueFd> served, peers;
    Listener listener(core, door.Take(), [&](sys::UniqueFd socket) { served.push_back(std::move(socket)); });
    EXPECT_TRUE(listener.Start());
    for (std::size_t i = 0; i < count; ++i) peers.push_back(StartConnect(at).value());
    for (int round = 0; round < 100 && served.size() < count; ++round) EXPECT_TRUE(loop_->RunOnce(Millis(100)));
    return served;
  }

 private:
  std::unique_ptr<EventLoop> loop_;
  TableResolver resolver_;
  Observer observer_;
};

TEST_F(ListenerTest, WhatItServesSendsAtOnceAndUnpaced) {
  const auto served = ServedOf(Listener::kPerTurn + 1);
  ASSERT_EQ(served.size(), Listener::kPerTurn + 1U);
  for (const auto& socket : served) {
    int no_delay = 0;
    socklen_t length = sizeof no_delay;
    ASSERT_EQ(::getsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &no_delay, &length), 0);
    EXPECT_NE(no_delay, 0);
    std::string control(16, '\0');
    length = static_cast<socklen_t>(control.size());
    ASSERT_EQ(::getsockopt(socket.get(), IPPROTO_TCP, TCP_CONGESTION, control.data(), &length), 0);
    EXPECT_STREQ(control.c_str(), "reno");
  }
}

}  // namespace
}  // namespace writ::egress::test
