// Well-behaved: prints its environment, working directory, host name and the size of its terminal.
#include <limits.h>
#include <sys/ioctl.h>

#include "attempt.h"

extern char** environ;

int main(void) {
  char text[PATH_MAX];
  for (char** entry = environ; *entry != NULL; ++entry) Say("env %s", *entry);
  if (getcwd(text, sizeof text) != NULL) Say("cwd %s", text);
  if (gethostname(text, sizeof text) == 0) Say("host %s", text);
  struct winsize size;
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) Say("terminal %d %d", size.ws_row, size.ws_col);
  return 0;
}
