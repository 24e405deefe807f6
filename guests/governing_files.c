// Changes what governs it: policy, configuration, keys, state and queues. Arguments: further absolute host paths of
// files or directories.
#include <stdio.h>
#include <sys/stat.h>

#include "attempt.h"

static const char* const kUsual[] = {"/etc/writ", "/etc/writ/policy.yaml", "/var/lib/writ", "/var/lib/writ/keys/plane.key.pem",
                                     "/root/.config/writ/policy.yaml", "/root/.local/state/writ"};

static void TryPath(const char* path) {
  static const char* const kPrefixes[] = {"", "/proc/self/root", "/proc/1/root", "/work/../"};
  char alias[1024], name[1200], other[1100];
  for (size_t i = 0; i < sizeof kPrefixes / sizeof kPrefixes[0]; ++i) {
    snprintf(alias, sizeof alias, "%s%s", kPrefixes[i], path);
    snprintf(name, sizeof name, "write %s", alias);
    AttemptOpen(name, alias, O_WRONLY);
    snprintf(name, sizeof name, "append %s", alias);
    AttemptOpen(name, alias, O_WRONLY | O_APPEND);
    snprintf(other, sizeof other, "%s/planted", alias);
    snprintf(name, sizeof name, "create %s", other);
    AttemptOpen(name, other, O_WRONLY | O_CREAT);
    snprintf(name, sizeof name, "rename %s", alias);
    Attempt(name, rename(alias, "/tmp/stolen"));
    snprintf(name, sizeof name, "hard-link %s", alias);
    Attempt(name, link(alias, "/tmp/linked"));
    snprintf(name, sizeof name, "chmod %s", alias);
    Attempt(name, chmod(alias, 0777));
    snprintf(name, sizeof name, "unlink %s", alias);
    Attempt(name, unlink(alias));
  }
}

int main(int argc, char** argv) {
  for (size_t i = 0; i < sizeof kUsual / sizeof kUsual[0]; ++i) TryPath(kUsual[i]);
  for (int i = 1; i < argc; ++i) TryPath(argv[i]);
  return Verdict();
}
