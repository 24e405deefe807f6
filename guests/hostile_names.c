// Makes files whose names would forge, hide or break what lists them. Argument: the directory (default /out).
#include <sys/stat.h>

#include "attempt.h"

static const char* const kNames[] = {
    "new\nline", "carriage\rreturn", "escape\x1b[31mred", "osc\x1b]52;c;eA==\x07", "bidi\xe2\x80\xaetxt.exe",
    "zero\xe2\x80\x8bwidth", "tag\xf3\xa0\x81\x81", "invalid\xff\xfe", "surrogate\xed\xa0\x80", "-rf", "--help", "*", "~", "$(id)",
    "`id`", ";id", "a b", "a\tb", " leading", "trailing ", "...", "..foo", ".hidden", "quote\"s'", "back\\slash", "CON", "nul.txt",
    "a:b", "%00", "%2e%2e%2fup", "..\\up", "\x7f", "\x01"};

int main(int argc, char** argv) {
  const char* directory = argc > 1 ? argv[1] : "/out";
  if (chdir(directory) != 0) {
    Say("hostile-names: cannot enter, %s", ErrnoName(errno));
    return 96;
  }
  int made = 0;
  for (size_t i = 0; i < sizeof kNames / sizeof kNames[0]; ++i) {
    const int fd = open(kNames[i], O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) continue;
    made += write(fd, "x", 1) == 1;
    close(fd);
  }
  char long_name[256];
  memset(long_name, 'n', 255);
  long_name[255] = '\0';
  const int fd = open(long_name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  if (fd >= 0) {
    made += write(fd, "x", 1) == 1;
    close(fd);
  }
  Say("hostile-names: made %d", made);
  return 0;
}
