#include "egress/event_loop.h"

#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <thread>

#include "egress/socket_pair_for_test.h"

namespace writ::egress {
namespace {

/// Does what the test wants.
class Target : public EventTarget {
 public:
  std::function<void(Watch&, std::uint32_t)> on_events = [](Watch&, std::uint32_t) {};
  std::function<void(Timer&)> on_timer = [](Timer&) {};

 private:
  void OnEvents(Watch& watch, std::uint32_t events) override { on_events(watch, events); }
  void OnTimer(Timer& timer) override { on_timer(timer); }
};

class EventLoopTest : public testing::Test {
 protected:
  void SetUp() override {
    auto created = EventLoop::Create();
    ASSERT_TRUE(created) << created.error().what;
    loop = *std::move(created);
  }
  void Round() { ASSERT_TRUE(loop->RunOnce(Millis(0))); }
  std::unique_ptr<EventLoop> loop;
};

TEST_F(EventLoopTest, TellsEdgesOnce) {
  test::SocketPair pair = test::MakeSocketPair();
  Target target;
  Watch watch;
  std::uint32_t seen = 0;
  target.on_events = [&](Watch&, std::uint32_t events) { seen |= events; };
  ASSERT_TRUE(watch.Start(*loop, pair.mine.get(), target));
  Round();
  EXPECT_EQ(seen, static_cast<std::uint32_t>(EPOLLOUT));
  seen = 0;
  Round();
  EXPECT_EQ(seen, 0U);
  ASSERT_EQ(::write(pair.peer.get(), "x", 1), 1);
  Round();
  EXPECT_NE(seen & EPOLLIN, 0U);
}

TEST_F(EventLoopTest, AWatchThatIsStoppedInItsRoundIsNotTold) {
  test::SocketPair one = test::MakeSocketPair(), two = test::MakeSocketPair();
  Target first, second;
  Watch a, b;
  int told = 0;
  first.on_events = [&](Watch&, std::uint32_t) { ++told, b.Stop(); };
  second.on_events = [&](Watch&, std::uint32_t) { ++told, a.Stop(); };
  ASSERT_TRUE(a.Start(*loop, one.mine.get(), first));
  ASSERT_TRUE(b.Start(*loop, two.mine.get(), second));
  Round();
  EXPECT_EQ(told, 1);
}

TEST_F(EventLoopTest, AWatchThatIsTakenOverTellsItsNewOwner) {
  test::SocketPair pair = test::MakeSocketPair();
  Target first, second;
  Watch a, b;
  int told = 0;
  ASSERT_TRUE(a.Start(*loop, pair.mine.get(), first));
  Round();
  second.on_events = [&](Watch& watch, std::uint32_t) { told += &watch == &b; };
  ASSERT_TRUE(b.TakeOver(a, second));
  EXPECT_FALSE(a.active());
  Round();
  EXPECT_EQ(told, 1);  // what was ready before is told anew
}

TEST_F(EventLoopTest, TimersFireInOrderAndMayArmThemselves) {
  Target target;
  Timer a(target), b(target), c(target);
  std::string order;
  target.on_timer = [&](Timer& timer) {
    order += &timer == &a ? 'a' : &timer == &b ? 'b' : 'c';
    if (&timer == &b) b.ArmNow(*loop);
  };
  const MonoTime now = std::chrono::steady_clock::now();
  a.Arm(*loop, now - Millis(1));
  b.Arm(*loop, now - Millis(2));
  c.Arm(*loop, now + Millis(60'000));
  Round();
  EXPECT_EQ(order, "ba");
  Round();
  EXPECT_EQ(order, "bab");
  b.Disarm();
  Round();
  EXPECT_EQ(order, "bab");
  EXPECT_TRUE(c.armed());
}

TEST_F(EventLoopTest, TheBuriedLiveToTheEndOfTheRound) {
  struct Mortal : Target {
    explicit Mortal(bool& is_alive) : alive(is_alive) { alive = true; }
    ~Mortal() override { alive = false; }
    bool& alive;
  };
  bool alive = false;
  auto mortal = std::make_unique<Mortal>(alive);
  Mortal& reference = *mortal;
  Timer timer(reference);
  bool alive_after_burial = false;
  reference.on_timer = [&](Timer&) {
    loop->Bury(std::move(mortal));
    alive_after_burial = alive;
  };
  timer.ArmNow(*loop);
  Round();
  EXPECT_TRUE(alive_after_burial);
  EXPECT_FALSE(alive);
}

TEST_F(EventLoopTest, RunsWhatOtherThreadsPostAndStops) {
  std::thread::id ran_on;
  std::thread thread([&] { EXPECT_TRUE(loop->Run()); });
  const auto loop_thread = thread.get_id();
  loop->Post([&] { ran_on = std::this_thread::get_id(); });
  loop->Stop();
  thread.join();
  EXPECT_EQ(ran_on, loop_thread);
}

}  // namespace
}  // namespace writ::egress
