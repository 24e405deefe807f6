// What reaches the caller's descriptors, and how much memory that takes.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"

namespace writ::cli_test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

/// A terminal of the test's own: what a program writes to `far` is read from `near`.
struct Terminal {
  sys::UniqueFd near, far;
  Terminal() {
    int master = -1, slave = -1;
    winsize size{.ws_row = 30, .ws_col = 90, .ws_xpixel = 0, .ws_ypixel = 0};
    EXPECT_EQ(::openpty(&master, &slave, nullptr, nullptr, &size), 0);
    near = sys::UniqueFd(master);
    far = sys::UniqueFd(slave);
    termios plain{};
    EXPECT_EQ(::tcgetattr(far.get(), &plain), 0);
    plain.c_oflag &= ~static_cast<tcflag_t>(OPOST);
    EXPECT_EQ(::tcsetattr(far.get(), TCSANOW, &plain), 0);
  }
  std::string Read() const {
    std::string all(1 << 16, '\0');
    EXPECT_EQ(::fcntl(near.get(), F_SETFL, O_NONBLOCK), 0);
    const ssize_t got = ::read(near.get(), all.data(), all.size());
    all.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return all;
  }
};

TEST(Streams, AreKeptApartAndByteExact) {
  WRIT_NEEDS_RUNS();
  const Machine machine;
  const Ended ended = machine.Run({"run", "-q", "--", "sh", "-c", "printf 'a\\000\\033]0;t\\007\\377\\r\\n'; printf err >&2"});
  EXPECT_EQ(ended.out, std::string("a\0\x1b]0;t\a\xff\r\n", 11));
  EXPECT_EQ(ended.err, "err");
  const std::string run = machine.NewestRun();
  EXPECT_EQ(machine.Run({"logs", "--stdout", run}).out, ended.out);
  EXPECT_EQ(machine.Run({"logs", "--stderr", run}).out, "err");
}

TEST(Streams, StdinIsNullUnlessAskedFor) {
  WRIT_NEEDS_RUNS();
  const Machine machine;
  const std::string file = machine.Write("in.txt", "hello\n");
  const sys::UniqueFd in(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(machine.Run({"run", "-q", "--", "cat"}, {.stdin_fd = in.get()}).out, "");
  EXPECT_EQ(machine.Run({"run", "-q", "-i", "--", "cat"}, {.stdin_fd = in.get()}).out, "hello\n");
}

TEST(Streams, Attack04_StdinIsAlwaysAPipeInside) {
  WRIT_NEEDS_RUNS();
  const Machine machine;
  const Terminal terminal;
  ASSERT_EQ(::write(terminal.near.get(), "\x04", 1), 1);  // end of input
  const Ended ended = machine.Run({"run", "-q", "-i", "--", "sh", "-c", "test -t 0 || test -p /dev/stdin && echo pipe"}, {.stdin_fd = terminal.far.get()});
  EXPECT_EQ(ended.out, "pipe\n");
  const sys::UniqueFd directory(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  EXPECT_EQ(machine.Run({"run", "-i", "--", "true"}, {.stdin_fd = directory.get()}).status, 125);
}

TEST(Streams, ClosedDescriptorsAreNotReused) {
  WRIT_NEEDS_RUNS();
  const Machine machine;
  const Ended ended = machine.Run({"run", "-q", "--", "echo", "x"}, {.in_child = [] {
    ::close(0);
    ::close(2);
  }});
  EXPECT_EQ(ended.status, 0);
  EXPECT_EQ(ended.out, "x\n");
}

TEST(Streams, Attack13_FloodWithASlowReaderStaysSmall) {
  WRIT_NEEDS_RUNS();
  const Machine machine;
  // 1 GiB to stdout with the default cap: the first 16 MiB arrive, the rest is read and dropped.
  Process run = machine.Start({"run", "--timeout", "100s", "--", "head", "-c", "1073741824", "/dev/zero"});
  std::size_t total = 0;
  std::string piece(1 << 14, '\0');
  for (int i = 0; i < 20; ++i) {  // slow at first
    const ssize_t got = ::read(run.out(), piece.data(), piece.size());
    if (got > 0) total += static_cast<std::size_t>(got);
    ::usleep(20'000);
  }
  const Ended ended = run.Wait(Deadline::After(Millis{120'000}));
  EXPECT_EQ(ended.status, 0) << ended.err;
  EXPECT_EQ(total + ended.out.size(), 16u << 20);
  EXPECT_THAT(ended.err, HasSubstr("stdout reached its limit of 16M"));
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  EXPECT_LT(ended.rss_max_kb, 64 * 1024);
#endif
  const canon::Json logs = machine.Json({"logs", "--json", "--stdout", machine.NewestRun()});
  EXPECT_EQ(Member(*logs.Find("stdout"), "bytes"), fmt::format("{}", 16u << 20));
}

TEST(Streams, Attack13_ReaderThatGoesAwayEndsTheRun) {
  WRIT_NEEDS_RUNS();
  const Machine machine;
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  sys::UniqueFd read_end(ends[0]), write_end(ends[1]);
  Process run = machine.Start({"run", "--", "yes"}, {.stdout_fd = write_end.get()});
  write_end = sys::UniqueFd();
  char some[10];
  ASSERT_GT(::read(read_end.get(), some, sizeof some), 0);
  read_end = sys::UniqueFd();
  const Ended ended = run.Wait(Deadline::After(Millis{30'000}));
  EXPECT_EQ(ended.status, 130) << ended.err;
  EXPECT_EQ(machine.Run({"verify", machine.NewestRun()}).status, 0);
}

TEST(Streams, Attack13_StuckReaderDoesNotStopCtrlC) {
  WRIT_NEEDS_RUNS();
  const Machine machine;
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  sys::UniqueFd read_end(ends[0]), write_end(ends[1]);
  Process run = machine.Start({"run", "--", "yes"}, {.stdout_fd = write_end.get()});
  write_end = sys::UniqueFd();
  ::usleep(500'000);
  ::kill(run.pid(), SIGINT);
  EXPECT_EQ(run.Wait(Deadline::After(Millis{20'000})).status, 130);
}

TEST(Streams, Attack13_StuckReaderDoesNotStopLimitsOrTheReceipt) {
  WRIT_NEEDS_RUNS();
  const Machine machine;
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  sys::UniqueFd read_end(ends[0]), write_end(ends[1]);
  Process run = machine.Start({"run", "--timeout", "300ms", "--", "yes"}, {.stdout_fd = write_end.get()});
  write_end = sys::UniqueFd();
  std::string status;
  for (int i = 0; i < 200 && status != "failed"; ++i) {
    ::usleep(100'000);
    const canon::Json list = machine.Json({"list", "--json"});
    if (!list.Find("runs")->array().empty()) status = Member(list.Find("runs")->array()[0], "status");
  }
  EXPECT_EQ(status, "failed") << "the receipt is there although nobody has read the output";
  EXPECT_TRUE(sys::ReadAll(read_end.get(), 16u << 20).has_value());
  EXPECT_EQ(run.Wait(Deadline::After(Millis{20'000})).status, 124);
}

TEST(Streams, FullOutputFileEndsTheRun) {
  WRIT_NEEDS_RUNS();
  const Machine machine;
  const sys::UniqueFd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  ASSERT_TRUE(full.valid());
  const Ended ended = machine.Run({"run", "--", "yes"}, {.stdout_fd = full.get()});
  EXPECT_EQ(ended.status, 125);
  EXPECT_THAT(ended.err, HasSubstr("No space left"));
  EXPECT_EQ(machine.Run({"list"}, {.stdout_fd = full.get()}).status, 1);
}

TEST(Streams, Attack14_TerminalsSeeNoControlSequences) {
  WRIT_NEEDS_RUNS();
  const Machine machine;
  const Terminal terminal;
  const std::string job = "printf '\\033[31mred\\033[0m \\033]52;c;eHg=\\007 \\342\\200\\256x\\n'";
  const Ended ended = machine.Run({"run", "-q", "--", "sh", "-c", job}, {.stdout_fd = terminal.far.get()});
  EXPECT_EQ(ended.status, 0);
  EXPECT_EQ(terminal.Read(), "\x1b[31mred\x1b[0m \\u{1b}]52;c;eHg=\\u{7} \\u{202e}x\n");
  machine.Run({"logs", machine.NewestRun()}, {.stdout_fd = terminal.far.get()});
  EXPECT_THAT(terminal.Read(), Not(HasSubstr("\x1b]")));
}

TEST(Streams, Attack14_NamesAndArgumentsAreEscaped) {
  WRIT_NEEDS_RUNS();
  const Machine machine;
  const std::string evil = "\x1b]0;pwned\a\nwrit: run fake completed \xe2\x80\xae";
  const Ended ended = machine.Run({"run", "--env", "X=" + evil, "--", "sh", "-c", "touch \"/work/$1\" \"/out/$1\"", "sh", evil});
  EXPECT_EQ(ended.status, 0) << ended.err;
  for (const auto& text : {ended.err, machine.Run({"list"}).out, machine.Run({"show", machine.NewestRun()}).out,
                           machine.Run({"run", "--dry-run", "--env", "X=" + evil, "--", "echo", evil}).out,
                           machine.Run({"run", evil}).err, machine.Run({"run", "--workspace", evil, "--", "true"}).err,
                           machine.Run({"show", evil}).err, machine.Run({evil}).err}) {
    EXPECT_THAT(text, Not(HasSubstr("\x1b")));
    EXPECT_THAT(text, Not(HasSubstr("\nwrit: run fake")));
    EXPECT_THAT(text, Not(HasSubstr("\xe2\x80\xae")));
    EXPECT_THAT(text, HasSubstr("\\u{1b}"));
  }
  for (const auto& arguments : std::vector<std::vector<std::string>>{{"list", "--json"}, {"show", "--json", machine.NewestRun()}}) {
    const std::string out = machine.Run(arguments).out;
    EXPECT_EQ(out.find('\n'), out.size() - 1) << "one record is one line";
    EXPECT_THAT(out, Not(HasSubstr("\x1b")));
    EXPECT_THAT(out, Not(HasSubstr("\xe2\x80\xae")));
  }
}

TEST(Streams, TerminalInsideAndRestoredOutside) {
  WRIT_NEEDS_RUNS();
  const Machine machine;
  const Terminal terminal;
  termios before{};
  ASSERT_EQ(::tcgetattr(terminal.far.get(), &before), 0);
  Process run = machine.Start({"run", "-q", "-it", "--", "sh", "-c", "stty size; test -t 0 && test -t 1 && echo tty; read line; echo \"got $line\""},
                              {.stdin_fd = terminal.far.get(), .stdout_fd = terminal.far.get()});
  std::string seen;
  for (int i = 0; i < 400 && seen.find("tty") == std::string::npos; ++i) {
    ::usleep(20'000);
    seen += terminal.Read();
  }
  EXPECT_THAT(seen, StartsWith("30 90"));
  termios raw{};
  ASSERT_EQ(::tcgetattr(terminal.far.get(), &raw), 0);
  EXPECT_EQ(raw.c_lflag & (ECHO | ICANON | ISIG), 0u);
  ASSERT_EQ(::write(terminal.near.get(), "hi\r", 3), 3);
  const Ended ended = run.Wait(Deadline::After(Millis{20'000}));
  EXPECT_EQ(ended.status, 0) << ended.err;
  EXPECT_THAT(terminal.Read(), HasSubstr("got hi"));
  termios after{};
  ASSERT_EQ(::tcgetattr(terminal.far.get(), &after), 0);
  EXPECT_EQ(after.c_lflag, before.c_lflag);
  EXPECT_EQ(after.c_oflag, before.c_oflag);
}

TEST(Streams, TerminalIsRestoredAfterASignal) {
  WRIT_NEEDS_RUNS();
  const Machine machine;
  const Terminal terminal;
  termios before{}, after{};
  ASSERT_EQ(::tcgetattr(terminal.far.get(), &before), 0);
  Process run = machine.Start({"run", "-q", "-it", "--", "sleep", "60"}, {.stdin_fd = terminal.far.get(), .stdout_fd = terminal.far.get()});
  for (int i = 0; i < 400; ++i) {
    ::usleep(20'000);
    if (::tcgetattr(terminal.far.get(), &after) == 0 && (after.c_lflag & ICANON) == 0) break;
  }
  ASSERT_EQ(after.c_lflag & ICANON, 0u);
  ::kill(run.pid(), SIGTERM);
  EXPECT_EQ(run.Wait(Deadline::After(Millis{20'000})).status, 130);
  ASSERT_EQ(::tcgetattr(terminal.far.get(), &after), 0);
  EXPECT_EQ(after.c_lflag, before.c_lflag);
}

TEST(Streams, SummaryIsOneScreenAndQuietIsQuiet) {
  WRIT_NEEDS_RUNS();
  const Machine machine;
  const Ended ended = machine.Run({"run", "--", "sh", "-c", "echo hi; echo x > /work/new; echo y > /out/extra"});
  EXPECT_EQ(ended.out, "hi\n");
  for (const char* text : {"completed, exit 0", "time", "memory", "changed", "new", "extra", "receipt", "writ verify "}) {
    EXPECT_THAT(ended.err, HasSubstr(text));
  }
  EXPECT_LE(std::ranges::count(ended.err, '\n'), 24);
  EXPECT_EQ(machine.Run({"run", "-q", "--", "true"}).err, "");
  const auto at = ended.err.find("writ verify ");
  const std::string id = ended.err.substr(at + 12, ended.err.find('\n', at) - at - 12);
  EXPECT_EQ(machine.Run({"verify", id}).status, 0) << "the command that the summary prints works";
}

}  // namespace
}  // namespace writ::cli_test
