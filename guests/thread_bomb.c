// Starts threads until refused. Argument: how many would be a success (default 20000).
#include <pthread.h>

#include "attempt.h"

static void* Wait(void* unused) {
  (void)unused;
  for (;;) pause();
  return NULL;
}

int main(int argc, char** argv) {
  OnlyInACell();
  const unsigned long long goal = NumberArgument(argc, argv, 1, 20000);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 16384);
  for (unsigned long long started = 0; started < goal; ++started) {
    pthread_t thread;
    const int error = pthread_create(&thread, &attributes, Wait, NULL);
    if (error != 0) {
      Say("thread-bomb: refused %s after %llu threads", ErrnoName(error), started);
      return 0;
    }
  }
  Say("thread-bomb: SUCCEEDED %llu threads", goal);
  return 1;
}
