#include "cli/output_stream.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/live_output.h"

namespace writ::cli {
namespace {

using isolation::Stream;

struct Pipe {
  sys::UniqueFd read, write;
};
Pipe MakePipe() {
  int ends[2];
  EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  return {sys::UniqueFd(ends[0]), sys::UniqueFd(ends[1])};
}

std::string ReadNow(int fd) {
  EXPECT_EQ(::fcntl(fd, F_SETFL, O_NONBLOCK), 0);
  std::string out(1 << 20, '\0');
  const ssize_t got = ::read(fd, out.data(), out.size());
  out.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return out;
}

class OutputStreamTest : public ::testing::Test {
 protected:
  void SetUp() override { previous_ = ::signal(SIGPIPE, SIG_IGN); }
  void TearDown() override { ::signal(SIGPIPE, previous_); }
  sighandler_t previous_ = SIG_DFL;
};

TEST_F(OutputStreamTest, PipesGetEveryByte) {
  auto pipe = MakePipe();
  OutputStream stream(pipe.write.get(), Filter::kNone);
  const std::string bytes("a\0\x1b]52;c;x\a\xff\r\n", 15);
  ASSERT_TRUE(stream.Write(bytes).has_value());
  EXPECT_EQ(stream.WaitFd(), -1);
  EXPECT_EQ(ReadNow(pipe.read.get()), bytes);
  EXPECT_EQ(::fcntl(pipe.write.get(), F_GETFL) & O_NONBLOCK, 0) << "the caller's descriptor keeps its mode";
}

TEST_F(OutputStreamTest, Attack13_SlowReaderNeverBlocksTheWriter) {
  for (const bool is_pipe : {true, false}) {
    auto pipe = MakePipe();
    if (!is_pipe) {
      int ends[2];
      ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
      pipe = {sys::UniqueFd(ends[0]), sys::UniqueFd(ends[1])};
    }
    OutputStream stream(pipe.write.get(), Filter::kNone);
    const std::string piece(1 << 20, 'x');
    ASSERT_TRUE(stream.Write(piece).has_value());
    EXPECT_GE(stream.WaitFd(), 0);
    EXPECT_GT(stream.kept(), 0u);
    std::size_t total = 0;
    while (stream.WaitFd() >= 0) {
      total += ReadNow(pipe.read.get()).size();
      ASSERT_TRUE(stream.Push().has_value());
    }
    total += ReadNow(pipe.read.get()).size();
    EXPECT_EQ(total, piece.size());
  }
}

TEST_F(OutputStreamTest, ReaderGoneIsNoError) {
  auto pipe = MakePipe();
  OutputStream stream(pipe.write.get(), Filter::kNone);
  pipe.read = sys::UniqueFd();
  ASSERT_TRUE(stream.Write("x").has_value());
  EXPECT_TRUE(stream.reader_gone());
  EXPECT_TRUE(stream.Write("more").has_value());
  EXPECT_EQ(stream.WaitFd(), -1);
}

TEST_F(OutputStreamTest, FullDeviceIsAnError) {
  const sys::UniqueFd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  if (!full.valid()) GTEST_SKIP() << "no /dev/full";
  OutputStream stream(full.get(), Filter::kNone);
  const auto wrote = stream.Write("x");
  ASSERT_FALSE(wrote.has_value());
  EXPECT_EQ(wrote.error().code, Code::kExhausted);
}

TEST_F(OutputStreamTest, ClosedDescriptorIsAnError) {
  OutputStream stream(-1, Filter::kNone);
  EXPECT_FALSE(stream.Write("x").has_value());
}

TEST_F(OutputStreamTest, DrainStopsWhenAsked) {
  auto pipe = MakePipe();
  OutputStream stream(pipe.write.get(), Filter::kNone);
  ASSERT_TRUE(stream.Write(std::string(1 << 20, 'x')).has_value());
  int asked = 0;
  EXPECT_TRUE(Drain(stream, Deadline::Never(), [&] { return ++asked > 1; }).has_value());
  const auto late = Drain(stream, Deadline::After(Millis{1}), [] { return false; });
  ASSERT_FALSE(late.has_value());
  EXPECT_EQ(late.error().code, Code::kDeadline);
}

class LiveOutputTest : public OutputStreamTest {
 protected:
  LiveOutputOptions Options() {
    LiveOutputOptions options;
    options.stdout_fd = out_.write.get();
    options.stderr_fd = err_.write.get();
    options.stop = [] { return false; };
    options.on_reader_gone = [this] { ++gone_; };
    options.stdout_limit = "16M";
    return options;
  }
  Pipe out_ = MakePipe(), err_ = MakePipe();
  int gone_ = 0;
};

TEST_F(LiveOutputTest, KeepsStreamsApartAndSaysTruncationOnStderr) {
  LiveOutput live(Options());
  ASSERT_TRUE(live.Write(Stream::kStdout, AsBytes("out")).has_value());
  ASSERT_TRUE(live.Write(Stream::kStderr, AsBytes("err\n")).has_value());
  ASSERT_TRUE(live.Truncated(Stream::kStdout).has_value());
  ASSERT_TRUE(live.Finish().has_value());
  EXPECT_EQ(ReadNow(out_.read.get()), "out");
  EXPECT_EQ(ReadNow(err_.read.get()), "err\nwrit: stdout reached its limit of 16M (--stdout-max); the rest of it is discarded\n");
}

TEST_F(LiveOutputTest, Attack13_TellsTheWriterToWait) {
  LiveOutput live(Options());
  const std::string piece(1 << 18, 'x');
  ASSERT_TRUE(live.Write(Stream::kStdout, AsBytes(piece)).has_value());
  EXPECT_GE(live.NotReady(Stream::kStdout), 0);
  EXPECT_EQ(live.NotReady(Stream::kStderr), -1);
}

TEST_F(LiveOutputTest, TellsOnceThatTheReaderIsGone) {
  out_.read = sys::UniqueFd();
  LiveOutput live(Options());
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(live.Write(Stream::kStdout, AsBytes("x")).has_value());
  EXPECT_EQ(gone_, 1);
}

TEST_F(LiveOutputTest, Attack14_TerminalsGetSafeTextAndNoProgressWithinALine) {
  auto options = Options();
  options.stdout_filter = options.stderr_filter = Filter::kTerminal;
  LiveOutput live(std::move(options));
  ASSERT_TRUE(live.Write(Stream::kStdout, AsBytes("\x1b]0;t\a")).has_value());
  live.ShowProgress("running");
  EXPECT_EQ(ReadNow(err_.read.get()), "");
  ASSERT_TRUE(live.Write(Stream::kStdout, AsBytes("\n")).has_value());
  live.ShowProgress("running");
  EXPECT_EQ(ReadNow(err_.read.get()), "\r\x1b[Krunning");
  ASSERT_TRUE(live.Write(Stream::kStdout, AsBytes("x")).has_value());
  EXPECT_EQ(ReadNow(err_.read.get()), "\r\x1b[K");
  ASSERT_TRUE(live.Say("done").has_value());
  EXPECT_EQ(ReadNow(err_.read.get()), "\ndone\n");
  EXPECT_EQ(ReadNow(out_.read.get()), "\\u{1b}]0;t\\u{7}\nx");
}

}  // namespace
}  // namespace writ::cli
