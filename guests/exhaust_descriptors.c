// Opens until refused. Argument: how many would be a success (default 1000000).
#include "attempt.h"

int main(int argc, char** argv) {
  OnlyInACell();
  const unsigned long long goal = NumberArgument(argc, argv, 1, 1000000);
  for (unsigned long long opened = 0; opened < goal; ++opened) {
    if (open("/dev/null", O_RDONLY | O_CLOEXEC) < 0) {
      Say("descriptors: refused %s after %llu", ErrnoName(errno), opened);
      return 0;
    }
  }
  Say("descriptors: SUCCEEDED %llu", goal);
  return 1;
}
