// Leaves a process behind that should outlive the run: forked twice, its own session, deaf to signals, keeping the
// output streams open. Argument: seconds it would live (default 3600).
#include <sys/prctl.h>

#include "attempt.h"

int main(int argc, char** argv) {
  OnlyInACell();
  const unsigned seconds = (unsigned)NumberArgument(argc, argv, 1, 3600);
  const pid_t child = fork();
  if (child < 0) return 96;
  if (child == 0) {
    setsid();
    const pid_t grandchild = fork();
    if (grandchild != 0) _exit(grandchild < 0 ? 96 : 0);
    prctl(PR_SET_NAME, "writ-daemon", 0, 0, 0);
    for (int signal_number = 1; signal_number < 64; ++signal_number) signal(signal_number, SIG_IGN);
    // Another one behind it, as a subreaper with a child of its own.
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    if (fork() == 0) prctl(PR_SET_NAME, "writ-daemon-2", 0, 0, 0);
    for (unsigned left = seconds; left > 0;) left = sleep(left);
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  Say("daemon: left behind");
  return WIFEXITED(status) ? WEXITSTATUS(status) : 96;
}
