// Well-behaved: prints its clocks in nanoseconds, sleeps, prints them again. Argument: milliseconds (default 50).
#include <sys/sysinfo.h>
#include <time.h>

#include "attempt.h"

static void Print(void) {
  static const struct {
    const char* name;
    clockid_t id;
  } kClocks[] = {{"realtime", CLOCK_REALTIME}, {"monotonic", CLOCK_MONOTONIC}, {"boottime", CLOCK_BOOTTIME},
                 {"process", CLOCK_PROCESS_CPUTIME_ID}};
  for (size_t i = 0; i < sizeof kClocks / sizeof kClocks[0]; ++i) {
    struct timespec now;
    if (clock_gettime(kClocks[i].id, &now) == 0) Say("%s: %lld%09ld", kClocks[i].name, (long long)now.tv_sec, now.tv_nsec);
  }
}

int main(int argc, char** argv) {
  Print();
  usleep((useconds_t)(NumberArgument(argc, argv, 1, 50) * 1000));
  Print();
  struct timespec set = {0, 0};
  Attempt("set-clock", clock_settime(CLOCK_REALTIME, &set));
  return Verdict();
}
