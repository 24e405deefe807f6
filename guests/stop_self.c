// Stops itself and its children, so that nobody inside can react to anything.
#include "attempt.h"

int main(void) {
  Say("stopping");
  for (int i = 0; i < 3; ++i) {
    if (fork() == 0) break;
  }
  for (;;) raise(SIGSTOP);
}
