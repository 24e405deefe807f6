// Well-behaved: ends as it is told. Arguments: a number to exit with, or "signal" and a number.
#include "attempt.h"

int main(int argc, char** argv) {
  if (argc > 2 && strcmp(argv[1], "signal") == 0) {
    const int number = atoi(argv[2]);
    signal(number, SIG_DFL);
    raise(number);
    return 94;
  }
  return (int)NumberArgument(argc, argv, 1, 0);
}
