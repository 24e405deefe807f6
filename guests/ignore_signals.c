// Ignores or catches every signal it can and sleeps past any deadline. Argument: seconds (default 3600).
#include <time.h>

#include "attempt.h"

static void Shrug(int signal_number) { (void)signal_number; }

int main(int argc, char** argv) {
  const unsigned long long seconds = NumberArgument(argc, argv, 1, 3600);
  for (int signal_number = 1; signal_number < 65; ++signal_number) {
    if (signal(signal_number, signal_number % 2 ? SIG_IGN : Shrug) == SIG_ERR) continue;
  }
  Say("deaf");
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_sec += (time_t)seconds;
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) != 0) {
  }
  Say("slept %llu s", seconds);
  return 0;
}
