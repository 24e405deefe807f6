#include "sys/socket.h"

#include <fcntl.h>
#include <gtest/gtest.h>

namespace writ::sys {
namespace {

TEST(Message, CarriesBytesAndDescriptors) {
  auto [here, there] = SeqpacketPair().value();
  UniqueFd null{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
  const int fds[] = {null.get(), null.get()};
  ASSERT_TRUE(SendMessage(here, AsBytes("hello"), fds, Deadline::After(Millis{1000})));
  auto got = ReceiveMessage(there, 64, Deadline::After(Millis{1000}));
  ASSERT_TRUE(got);
  EXPECT_EQ(AsText(got->bytes), "hello");
  ASSERT_EQ(got->fds.size(), 2u);
  EXPECT_EQ(::fcntl(got->fds[0].get(), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
  EXPECT_FALSE(got->end);
}

TEST(Message, SaysWhenThePeerHasClosed) {
  auto [here, there] = SeqpacketPair().value();
  here.Reset();
  auto got = ReceiveMessage(there, 64, Deadline::After(Millis{1000}));
  ASSERT_TRUE(got);
  EXPECT_TRUE(got->end);
}

TEST(Message, EveryWaitHasADeadline) {
  auto [here, there] = SeqpacketPair().value();
  auto got = ReceiveMessage(there, 64, Deadline::After(Millis{10}));
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, Code::kDeadline);
  const std::vector<std::uint8_t> block(60'000);
  Result<> sent;
  for (int i = 0; i < 1000 && sent; ++i) sent = SendMessage(here, block, {}, Deadline::After(Millis{10}));
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code, Code::kDeadline);
}

TEST(Message, RefusesWhatWasCut) {
  auto [here, there] = SeqpacketPair().value();
  ASSERT_TRUE(SendMessage(here, AsBytes("0123456789"), {}, Deadline::After(Millis{1000})));
  auto got = ReceiveMessage(there, 4, Deadline::After(Millis{1000}));
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, Code::kInvalid);
}

}  // namespace
}  // namespace writ::sys
