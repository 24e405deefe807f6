// Well-behaved: sleeps, then says so. Argument: milliseconds.
#include "attempt.h"

int main(int argc, char** argv) {
  const unsigned long long milliseconds = NumberArgument(argc, argv, 1, 1000);
  Say("sleeping");
  for (unsigned long long left = milliseconds; left > 0;) {
    const unsigned long long now = left < 500 ? left : 500;
    usleep((useconds_t)(now * 1000));
    left -= now;
  }
  Say("slept");
  return 0;
}
