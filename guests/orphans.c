// Well-behaved in the end: makes more orphans than the process limit allows at once. It only works when PID 1 of the
// cell reaps them. Argument: how many (default 1000).
#include "attempt.h"

int main(int argc, char** argv) {
  const unsigned long long count = NumberArgument(argc, argv, 1, 1000);
  for (unsigned long long i = 0; i < count; ++i) {
    pid_t child = -1;
    for (int attempt = 0; attempt < 200 && (child = fork()) < 0; ++attempt) usleep(5000);  // PID 1 needs a moment
    if (child < 0) {
      Say("orphans: fork %llu failed with %s", i, ErrnoName(errno));
      return 1;
    }
    if (child == 0) {
      if (fork() == 0) {
        usleep(1000);
        _exit(0);  // an orphan by now, or soon
      }
      _exit(0);
    }
    waitpid(child, NULL, 0);
  }
  Say("orphans: %llu reaped", count);
  return 0;
}
