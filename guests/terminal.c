// Types into, steals or changes the terminal of whoever started it.
#include <sys/ioctl.h>
#include <termios.h>

#include "attempt.h"

int main(int argc, char** argv) {
  const int own_terminal = argc > 1 && strcmp(argv[1], "own-terminal") == 0;  // the run was given one of its own
  char name[64], text = 'x';
  int discipline = 3;
  for (int fd = 0; fd < 3; ++fd) {
    snprintf(name, sizeof name, "TIOCSTI-%d", fd);
    Attempt(name, ioctl(fd, TIOCSTI, &text));
    snprintf(name, sizeof name, "TIOCLINUX-%d", fd);
    Attempt(name, ioctl(fd, TIOCLINUX, &text));
    snprintf(name, sizeof name, "TIOCSETD-%d", fd);
    Attempt(name, ioctl(fd, TIOCSETD, &discipline));
    snprintf(name, sizeof name, "TIOCCONS-%d", fd);
    Attempt(name, ioctl(fd, TIOCCONS, 0));
    if (!own_terminal) {
      snprintf(name, sizeof name, "steal-terminal-%d", fd);
      Attempt(name, ioctl(fd, TIOCSCTTY, 1));
    }
  }
  if (!own_terminal) {
    AttemptOpen("controlling-terminal", "/dev/tty", O_RDWR);
    for (int fd = 0; fd < 3; ++fd) {
      snprintf(name, sizeof name, "is-a-terminal-%d", fd);
      if (isatty(fd)) {
        Succeeded(name, "");
      } else {
        Refused(name, ErrnoName(errno));
      }
    }
  }
  AttemptOpen("console", "/dev/console", O_RDWR);
  AttemptOpen("virtual-console", "/dev/tty0", O_RDWR);
  AttemptOpen("first-console", "/dev/tty1", O_RDWR);
  // A pseudo-terminal of its own works and is confined as well.
  const int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (master >= 0) {
    Attempt("TIOCSTI-own", ioctl(master, TIOCSTI, &text));
    char* other = ptsname(master);
    Say("own-terminal: %s", other != NULL ? other : "unnamed");
    close(master);
  }
  for (int i = 0; i < 64; ++i) {  // nobody else's pseudo-terminals
    char path[32];
    snprintf(path, sizeof path, "/dev/pts/%d", i);
    if (own_terminal && i == 0) continue;
    if (access(path, F_OK) == 0) Succeeded("foreign-terminal", path);
  }
  if (getsid(0) == 0) Succeeded("session-of-the-launcher", "shared");
  return Verdict();
}
