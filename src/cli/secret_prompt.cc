#include "cli/secret_prompt.h"

#include <signal.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>

#include "secrets/record.h"
#include "sys/file.h"

namespace writ::cli {
namespace {

constexpr std::array kSignals{SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};

volatile sig_atomic_t g_interrupted = 0;

void OnSignal(int) { g_interrupted = 1; }

/// While it lives keys are not shown, and signals end the reading instead of the program.
class Hidden {
 public:
  static Result<std::unique_ptr<Hidden>> Enter(int fd) {
    std::unique_ptr<Hidden> hidden(new Hidden(fd));
    if (::tcgetattr(fd, &hidden->before_) != 0) return FailErrno("read the terminal's settings");
    g_interrupted = 0;
    struct sigaction action{};
    action.sa_handler = OnSignal;  // no SA_RESTART: read returns
    for (std::size_t i = 0; i < kSignals.size(); ++i) ::sigaction(kSignals[i], &action, &hidden->actions_[i]);
    hidden->entered_ = true;
    termios quiet = hidden->before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    if (::tcsetattr(fd, TCSAFLUSH, &quiet) != 0) return FailErrno("switch the terminal's echo off");
    return hidden;
  }
  ~Hidden() {
    if (!entered_) return;
    ::tcsetattr(fd_, TCSAFLUSH, &before_);
    for (std::size_t i = 0; i < kSignals.size(); ++i) ::sigaction(kSignals[i], &actions_[i], nullptr);
  }
  Hidden(const Hidden&) = delete;
  Hidden& operator=(const Hidden&) = delete;

 private:
  explicit Hidden(int fd) : fd_(fd) {}
  int fd_;
  bool entered_ = false;
  termios before_{};
  std::array<struct sigaction, kSignals.size()> actions_{};
};

}  // namespace

Result<crypto::SecretBytes> AskForSecret(int terminal_fd, const std::string& question) {
  const auto hidden = WRIT_TRY("terminal", Hidden::Enter(terminal_fd));
  WRIT_TRY("terminal", sys::WriteAll(terminal_fd, question));
  crypto::SecretBytes line(secrets::kValueBytesMax + 1);
  std::size_t size = 0;
  bool ended = false;
  while (!ended && g_interrupted == 0 && size < line.size()) {
    const ssize_t got = ::read(terminal_fd, line.bytes().data() + size, line.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FailErrno("read the value");
    size += static_cast<std::size_t>(got);
    ended = got == 0 || line.bytes()[size - 1] == '\n';
  }
  WRIT_TRY("terminal", sys::WriteAll(terminal_fd, std::string_view("\n")));
  if (g_interrupted != 0) return Fail(Code::kInvalid, "interrupted; nothing was stored");
  if (size == line.size()) return Fail(Code::kExhausted, "the value has more than {} bytes", secrets::kValueBytesMax);
  if (size > 0 && line.bytes()[size - 1] == '\n') --size;
  if (size == 0) return Fail(Code::kInvalid, "nothing was entered; nothing was stored");
  return crypto::SecretBytes::CopyOf(line.bytes().first(size));
}

}  // namespace writ::cli
