#include "cli/terminal.h"

#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>

namespace writ::cli {
namespace {

constexpr std::array kCrashing{SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};

// For the handlers; written before they are installed.
std::atomic<int> g_fd{-1};
termios g_cooked{};
struct sigaction g_crash_actions_before[kCrashing.size()];

void Restore() {
  const int fd = g_fd.exchange(-1);
  if (fd < 0) return;
  // From the background tcsetattr would stop the program; a terminal left raw is worse.
  struct sigaction ignore{}, before{};
  ignore.sa_handler = SIG_IGN;
  ::sigaction(SIGTTOU, &ignore, &before);
  ::tcsetattr(fd, TCSADRAIN, &g_cooked);
  ::sigaction(SIGTTOU, &before, nullptr);
}

void OnCrash(int signal) {
  Restore();
  ::signal(signal, SIG_DFL);
  ::raise(signal);
}

}  // namespace

bool IsTerminal(int fd) { return ::isatty(fd) == 1; }

std::optional<isolation::SessionSpec::Terminal> TerminalSize(int fd) {
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0) return std::nullopt;
  return isolation::SessionSpec::Terminal{.rows = size.ws_row, .columns = size.ws_col};
}

std::size_t TextColumns(int fd) {
  const auto size = TerminalSize(fd);
  return size ? std::clamp<std::size_t>(size->columns, 60, 120) : 100;
}

std::size_t TableColumns() { return IsTerminal(STDOUT_FILENO) ? TextColumns(STDOUT_FILENO) : 1000; }

Result<std::unique_ptr<RawTerminal>> RawTerminal::Enter(int fd) {
  if (::tcgetattr(fd, &g_cooked) != 0) return FailErrno("read the terminal's settings");
  std::unique_ptr<RawTerminal> raw_terminal(new RawTerminal);
  g_fd.store(fd);
  struct sigaction action{};
  action.sa_handler = OnCrash;
  ::sigemptyset(&action.sa_mask);
  for (std::size_t i = 0; i < kCrashing.size(); ++i) ::sigaction(kCrashing[i], &action, &g_crash_actions_before[i]);
  termios raw = g_cooked;
  ::cfmakeraw(&raw);
  if (::tcsetattr(fd, TCSADRAIN, &raw) != 0) return FailErrno("set the terminal to raw mode");
  return raw_terminal;
}

RawTerminal::~RawTerminal() {
  Restore();
  for (std::size_t i = 0; i < kCrashing.size(); ++i) ::sigaction(kCrashing[i], &g_crash_actions_before[i], nullptr);
}

}  // namespace writ::cli
