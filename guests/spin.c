// Uses processor time without end. Arguments: processes (default 1), seconds of processor time each would use at most
// (default 0: no end), "deaf" ignores every signal that can be ignored.
#include <sys/resource.h>

#include "attempt.h"

int main(int argc, char** argv) {
  const unsigned long long processes = NumberArgument(argc, argv, 1, 1);
  const unsigned long long seconds = NumberArgument(argc, argv, 2, 0);
  if (argc > 3 && strcmp(argv[3], "deaf") == 0) {
    for (int signal_number = 1; signal_number < 64; ++signal_number) signal(signal_number, SIG_IGN);
  }
  Say("spinning");
  for (unsigned long long i = 1; i < processes; ++i) {
    if (fork() == 0) break;
  }
  volatile unsigned long long counter = 0;
  struct rusage use;
  for (;;) {
    for (int i = 0; i < 10000000; ++i) counter++;
    getrusage(RUSAGE_SELF, &use);
    if (seconds != 0 && (unsigned long long)use.ru_utime.tv_sec >= seconds) break;
  }
  Say("spun %llu s", seconds);
  while (wait(NULL) > 0) {
  }
  return 0;
}
