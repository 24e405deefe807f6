// Signals processes that are not its own: everybody, PID 1, and host process ids given as arguments.
#include <sys/syscall.h>

#include "attempt.h"

int main(int argc, char** argv) {
  OnlyInACell();
  // To PID 1 of the cell: either not permitted or without effect, or this program would not go on.
  for (int signal = 1; signal < 32; ++signal) {
    if (signal == SIGCHLD) continue;
    const int result = kill(1, signal);
    if (result == -1 && errno != EPERM) Refused("kill-init", ErrnoName(errno));
  }
  usleep(100000);
  Refused("kill-init", "NO-EFFECT");
  const pid_t session = getsid(0);
  Say("session: %d of process %d", (int)session, (int)getpid());
  for (int i = 1; i < argc; ++i) {
    char name[64];
    const int pid = atoi(argv[i]);
    snprintf(name, sizeof name, "kill %d", pid);
    Attempt(name, kill(pid, 0));
    snprintf(name, sizeof name, "pidfd_open %d", pid);
    Attempt(name, syscall(SYS_pidfd_open, pid, 0));
    snprintf(name, sizeof name, "sigqueue %d", pid);
    Attempt(name, sigqueue(pid, SIGUSR1, (union sigval){.sival_int = 1}));
    snprintf(name, sizeof name, "setpriority %d", pid);
    Attempt(name, syscall(SYS_setpriority, 0, pid, 19));
    snprintf(name, sizeof name, "prlimit %d", pid);
    Attempt(name, syscall(SYS_prlimit64, pid, 7, NULL, (unsigned long long[2]){0}));
  }
  // Everybody in reach: only what lives in this process-id namespace, and not PID 1. Who sent it is spared.
  kill(-1, SIGKILL);
  Refused("kill-everybody", "ONLY-OWN");
  return Verdict();
}
