// What every guest needs: one line per attempt, and an exit status that says whether all of them were refused.
//   name: refused ERRNO [detail]
//   name: SUCCEEDED [detail]
// A line is written with one write(2), so that lines of several processes do not mix.
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

static int attempt_successes;

__attribute__((format(printf, 1, 2), unused)) static void Say(const char* format, ...) {
  char line[4096];
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(line, sizeof line - 1, format, arguments);
  va_end(arguments);
  if (length < 0) return;
  if (length > (int)sizeof line - 2) length = (int)sizeof line - 2;
  line[length] = '\n';
  if (write(STDOUT_FILENO, line, (size_t)length + 1) < 0) _exit(98);
}

__attribute__((unused)) static const char* ErrnoName(int error) {
  const char* name = strerrorname_np(error);
  return name != NULL ? name : "UNKNOWN";
}

/// Refused for a reason that is not an errno: "ABSENT", "SIGSYS", "EMPTY", ...
__attribute__((unused)) static void Refused(const char* name, const char* why) { Say("%s: refused %s", name, why); }

__attribute__((unused)) static void Succeeded(const char* name, const char* detail) {
  attempt_successes++;
  Say("%s: SUCCEEDED %s", name, detail);
}

/// Judges a system call's result: -1 is a refusal. The result is returned so that a success can be cleaned up.
__attribute__((unused)) static long Attempt(const char* name, long result) {
  if (result == -1) {
    Refused(name, ErrnoName(errno));
  } else {
    attempt_successes++;
    Say("%s: SUCCEEDED %ld", name, result);
  }
  return result;
}

/// Opens for the attempt and closes again.
__attribute__((unused)) static void AttemptOpen(const char* name, const char* path, int flags) {
  const int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);
  const int kept = errno;
  if (fd >= 0) close(fd);
  errno = kept;
  Attempt(name, fd);
}

/// Reading counts only when bytes come out: a masked file may well be opened.
__attribute__((unused)) static void AttemptRead(const char* name, const char* path) {
  char bytes[256];
  const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) {
    Refused(name, ErrnoName(errno));
    return;
  }
  const ssize_t got = read(fd, bytes, sizeof bytes);
  const int kept = errno;
  close(fd);
  if (got > 0) {
    attempt_successes++;
    Say("%s: SUCCEEDED %zd bytes", name, got);
  } else {
    Refused(name, got == 0 ? "EMPTY" : ErrnoName(kept));
  }
}

/// Runs `body` in a child. A child ended by a signal was refused by it; exit 0 is a success.
__attribute__((unused)) static void AttemptInChild(const char* name, int (*body)(void)) {
  const pid_t child = fork();
  if (child < 0) {
    Refused(name, ErrnoName(errno));
    return;
  }
  if (child == 0) _exit(body() & 0xff);
  int status = 0;
  if (waitpid(child, &status, 0) != child) {
    Refused(name, "LOST");
  } else if (WIFSIGNALED(status)) {
    char why[32];
    snprintf(why, sizeof why, "SIG%s", sigabbrev_np(WTERMSIG(status)));
    Refused(name, why);
  } else if (WEXITSTATUS(status) == 0) {
    Succeeded(name, "");
  } else {
    Refused(name, ErrnoName(WEXITSTATUS(status)));  // children report errno as their exit status
  }
}

/// Programs that would harm a machine without a jail call this first: it ends them unless user ids are mapped, as
/// they are in every cell and nowhere else.
__attribute__((unused)) static void OnlyInACell(void) {
  char map[128] = "";
  const int fd = open("/proc/self/uid_map", O_RDONLY | O_CLOEXEC);
  if (fd >= 0) {
    if (read(fd, map, sizeof map - 1) < 0) map[0] = '\0';
    close(fd);
  }
  unsigned long inside, outside, count;
  if (sscanf(map, "%lu %lu %lu", &inside, &outside, &count) == 3 && count < 4294967295ul) return;
  Say("this program only runs inside a cell");
  _exit(99);
}

/// A positive number from the command line, or `otherwise`.
__attribute__((unused)) static unsigned long long NumberArgument(int argc, char** argv, int index,
                                                                 unsigned long long otherwise) {
  if (index >= argc) return otherwise;
  char* end = NULL;
  const unsigned long long value = strtoull(argv[index], &end, 10);
  if (end == argv[index] || *end != '\0') {
    Say("not a number: %s", argv[index]);
    _exit(97);
  }
  return value;
}

/// Exit status of a guest: 0 when every attempt was refused.
__attribute__((unused)) static int Verdict(void) { return attempt_successes == 0 ? 0 : 1; }
