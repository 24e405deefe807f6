// Prints the mount table. Arguments: texts of the host (paths, user names, device names) that must not occur in it.
#include "attempt.h"

int main(int argc, char** argv) {
  static const char* const kFiles[] = {"/proc/self/mountinfo", "/proc/self/mounts", "/proc/self/mountstats", "/proc/1/mountinfo"};
  for (size_t f = 0; f < sizeof kFiles / sizeof kFiles[0]; ++f) {
    FILE* file = fopen(kFiles[f], "re");
    if (file == NULL) {
      Refused(kFiles[f], ErrnoName(errno));
      continue;
    }
    char line[4096];
    int told = 0;
    while (fgets(line, sizeof line, file) != NULL) {
      line[strcspn(line, "\n")] = '\0';
      Say("%s", line);
      for (int i = 1; i < argc; ++i) {
        if (argv[i][0] == '\0' || strstr(line, argv[i]) == NULL) continue;
        Succeeded(kFiles[f], argv[i]);
        told++;
      }
    }
    fclose(file);
    if (told == 0) Refused(kFiles[f], "NEUTRAL");
  }
  return Verdict();
}
