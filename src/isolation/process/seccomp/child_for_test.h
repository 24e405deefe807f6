#pragma once

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <functional>
#include <span>
#include <string>

#include "isolation/process/seccomp/filter.h"

namespace writ::seccomp {

/// How a child under a filter ended, and what it wrote to its standard output and error.
struct ChildEnd {
  int exit_code = -1;
  int signal = 0;
  std::string output;
};

/// Runs `body` in a forked child under `filter`; what it returns is the exit code. Killed after a minute.
inline ChildEnd RunUnder(std::span<const sock_filter> filter, const std::function<int()>& body) {
  int ends[2];
  if (::pipe(ends) != 0) return {.output = "pipe failed"};
  const pid_t child = ::fork();
  if (child == 0) {
    ::setpgid(0, 0);
    ::dup2(ends[1], STDOUT_FILENO);
    ::dup2(ends[1], STDERR_FILENO);
    ::close(ends[0]);
    ::close(ends[1]);
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) ::_exit(111);
    if (!InstallFilter(filter)) ::_exit(112);
    ::_exit(body());
  }
  ::close(ends[1]);
  ChildEnd end;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  char buffer[4096];
  while (child > 0) {
    pollfd waiting{ends[0], POLLIN, 0};
    const int ready = ::poll(&waiting, 1, 1000);
    if (std::chrono::steady_clock::now() > deadline) {
      ::kill(-child, SIGKILL);
      end.output += "\n[killed after a minute]";
      break;
    }
    if (ready == 0) continue;
    const ssize_t got = ::read(ends[0], buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    end.output.append(buffer, static_cast<std::size_t>(got));
  }
  ::close(ends[0]);
  int status = 0;
  if (child > 0 && ::waitpid(child, &status, 0) == child) {
    if (WIFEXITED(status)) end.exit_code = WEXITSTATUS(status);
    if (WIFSIGNALED(status)) end.signal = WTERMSIG(status);
  }
  return end;
}

}  // namespace writ::seccomp
