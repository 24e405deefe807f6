// Prints what would forge, hide or restyle a log or a terminal when shown unescaped.
#include "attempt.h"

static const char* const kLines[] = {
    "newline then a forged record:\n{\"type\":\"run.completed\",\"exitCode\":0}",
    "carriage return hides this\rFAKE: verified, 0 problems",
    "colour \x1b[31mred\x1b[0m, clear \x1b[2J\x1b[H, title \x1b]0;owned\x07",
    "link \x1b]8;;https://evil.example/\x1b\\click\x1b]8;;\x1b\\",
    "clipboard \x1b]52;c;cm0gLXJmIC8=\x07",
    "answer back \x1b[6n\x1b[c\x1b[>0q and eight-bit \x9b" "31m",
    "bidi \xe2\x80\xae" "txt.exe\xe2\x80\xac isolate \xe2\x81\xa6x\xe2\x81\xa9",
    "zero width a\xe2\x80\x8b" "b\xe2\x80\x8c" "c\xe2\x80\x8d" "d\xef\xbb\xbf",
    "tags \xf3\xa0\x81\x81\xf3\xa0\x81\x82\xf3\xa0\x81\x83",
    "line separators \xe2\x80\xa8 and \xe2\x80\xa9 and next line \xc2\x85",
    "invalid utf-8 \xff\xfe\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80",
    "backspace abc\b\b\bxyz delete \x7f bell \x07 vertical \x0b form \x0c",
    "json \"quotes\" \\ backslash </script><script>alert(1)</script> &amp; '"};

int main(void) {
  for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; ++fd) {
    for (size_t i = 0; i < sizeof kLines / sizeof kLines[0]; ++i) {
      if (write(fd, kLines[i], strlen(kLines[i])) < 0 || write(fd, "\n", 1) < 0) return 95;
    }
    if (write(fd, "nul \0 inside\n", 13) < 0) return 95;
    if (write(fd, "no newline at the end", 21) < 0) return 95;
  }
  return 0;
}
