// Well-behaved: prints its arguments, one a line.
#include "attempt.h"

int main(int argc, char** argv) {
  for (int i = 0; i < argc; ++i) Say("%s", argv[i]);
  return 0;
}
