#include "session/stdin_pump.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/file.h"

namespace writ::session {
namespace {

TEST(StdinPump, Attack04_NeverHandsOverAnythingButAPipe) {
  char path[] = "/tmp/writ-stdin-XXXXXX";
  const sys::UniqueFd file(::mkostemp(path, O_CLOEXEC));
  ASSERT_TRUE(file.valid());
  ::unlink(path);
  const std::string text(300'000, 'x');
  ASSERT_TRUE(sys::WriteAll(file.get(), text).has_value());
  ASSERT_EQ(::lseek(file.get(), 0, SEEK_SET), 0);
  auto pump = StdinPump::Start(file.get());
  ASSERT_TRUE(pump.has_value()) << pump.error().what;
  const sys::UniqueFd end = (*pump)->TakeReadEnd();
  struct stat status{};
  ASSERT_EQ(::fstat(end.get(), &status), 0);
  EXPECT_TRUE(S_ISFIFO(status.st_mode));
  EXPECT_EQ(sys::ReadAll(end.get(), 1 << 20).value(), text);
}

TEST(StdinPump, Attack04_RefusesADirectory) {
  const sys::UniqueFd directory(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const auto pump = StdinPump::Start(directory.get());
  ASSERT_FALSE(pump.has_value());
  EXPECT_EQ(pump.error().code, Code::kInvalid);
  EXPECT_FALSE(StdinPump::Start(-1).has_value());
}

TEST(StdinPump, EndsWhileTheInputIsSilent) {
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  const sys::UniqueFd near(ends[0]), far(ends[1]);
  auto pump = StdinPump::Start(near.get());
  ASSERT_TRUE(pump.has_value());
  pump->reset();  // returns although nothing was ever written
}

TEST(StdinPump, EndsWhenTheJobStopsReading) {
  const auto previous = ::signal(SIGPIPE, SIG_IGN);
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  const sys::UniqueFd near(ends[0]), far(ends[1]);
  auto pump = StdinPump::Start(near.get());
  ASSERT_TRUE(pump.has_value());
  { const sys::UniqueFd closed = (*pump)->TakeReadEnd(); }
  ASSERT_TRUE(sys::WriteAll(far.get(), "late").has_value());
  pump->reset();
  ::signal(SIGPIPE, previous);
}

}  // namespace
}  // namespace writ::session
