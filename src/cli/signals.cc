#include "cli/signals.h"

#include <signal.h>
#include <sys/ioctl.h>

#include <array>
#include <cerrno>

namespace writ::cli {
namespace {

constexpr std::array kCancelling{SIGINT, SIGTERM, SIGHUP, SIGQUIT};
constexpr std::size_t kHandled = kCancelling.size() + 2;  // and SIGWINCH, SIGPIPE

// A handler reaches nothing but globals. They are written before the handlers are installed and cleared after the old
// ones are back; only one SignalScope exists at a time.
std::atomic<api::RunControl*> g_control{nullptr};
std::atomic<int> g_terminal{-1};
std::atomic<int> g_received{0};
struct sigaction g_actions_before[kHandled];

void OnCancel(int signal) {
  const int saved = errno;
  int none = 0;
  g_received.compare_exchange_strong(none, signal);
  if (api::RunControl* control = g_control.load()) control->Cancel();
  errno = saved;
}

void OnResize(int) {
  const int saved = errno;
  winsize size{};
  api::RunControl* control = g_control.load();
  if (control && ::ioctl(g_terminal.load(), TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0) {
    control->Resize({.rows = size.ws_row, .columns = size.ws_col});
  }
  errno = saved;
}

}  // namespace

SignalScope::SignalScope(api::RunControl& control, int terminal_fd) {
  g_received.store(0);
  g_terminal.store(terminal_fd);
  g_control.store(&control);
  std::size_t slot = 0;
  struct sigaction action{};
  ::sigemptyset(&action.sa_mask);
  action.sa_handler = OnCancel;  // without SA_RESTART: a blocked call returns and looks at the control
  for (const int signal : kCancelling) {
    ::sigaction(signal, nullptr, &g_actions_before[slot]);
    // nohup ignores SIGHUP on purpose; that stays.
    if (signal != SIGHUP || g_actions_before[slot].sa_handler != SIG_IGN) ::sigaction(signal, &action, nullptr);
    ++slot;
  }
  action.sa_handler = OnResize;
  action.sa_flags = SA_RESTART;
  ::sigaction(SIGWINCH, terminal_fd >= 0 ? &action : nullptr, &g_actions_before[slot++]);
  action.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &action, &g_actions_before[slot++]);
}

SignalScope::~SignalScope() {
  std::size_t slot = 0;
  for (const int signal : kCancelling) ::sigaction(signal, &g_actions_before[slot++], nullptr);
  ::sigaction(SIGWINCH, &g_actions_before[slot++], nullptr);
  ::sigaction(SIGPIPE, &g_actions_before[slot++], nullptr);
  g_control.store(nullptr);
}

int SignalScope::received() const { return g_received.load(); }

}  // namespace writ::cli
