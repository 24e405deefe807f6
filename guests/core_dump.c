// Crashes on purpose, by several signals, and looks for what a core file would have left behind.
#include <dirent.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "attempt.h"

static int CoreFiles(const char* path) {
  DIR* directory = opendir(path);
  int found = 0;
  for (const struct dirent* entry; directory != NULL && (entry = readdir(directory)) != NULL;)
    found += strncmp(entry->d_name, "core", 4) == 0;
  if (directory != NULL) closedir(directory);
  return found;
}

int main(void) {
  struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
  Attempt("raise-core-limit", setrlimit(RLIMIT_CORE, &limit));
  prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
  static const int kSignals[] = {SIGABRT, SIGSEGV, SIGQUIT, SIGILL, SIGBUS, SIGFPE, SIGSYS, SIGTRAP};
  int dumped = 0;
  for (size_t i = 0; i < sizeof kSignals / sizeof kSignals[0]; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      signal(kSignals[i], SIG_DFL);
      raise(kSignals[i]);
      _exit(0);
    }
    int status = 0;
    if (child > 0 && waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WCOREDUMP(status)) dumped++;
  }
  if (dumped == 0) {
    Refused("core-dump", "NONE");
  } else {
    Succeeded("core-dump", "the kernel says a core was dumped");
  }
  if (CoreFiles(".") + CoreFiles("/tmp") + CoreFiles("/work") == 0) {
    Refused("core-file", "ABSENT");
  } else {
    Succeeded("core-file", "found");
  }
  return Verdict();
}
