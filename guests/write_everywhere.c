// Tries to make a file in every directory it can see, and to open existing files for writing, outside the places that
// are meant to be written: /work /out /tmp /dev/shm. Prints a line per top directory and per success.
#include <dirent.h>
#include <sys/stat.h>

#include "attempt.h"

static int Allowed(const char* path) {
  static const char* const kPlaces[] = {"/work", "/out", "/tmp", "/dev/shm"};
  for (size_t i = 0; i < sizeof kPlaces / sizeof kPlaces[0]; ++i) {
    const size_t length = strlen(kPlaces[i]);
    if (strncmp(path, kPlaces[i], length) == 0 && (path[length] == '/' || path[length] == '\0')) return 1;
  }
  return 0;
}

static unsigned tried;
static int last_error;

static void Try(const char* directory, int depth) {
  char path[2048];
  if (Allowed(directory)) return;
  const size_t prefix = strlen(directory);
  snprintf(path, sizeof path, "%s/writ-was-here", prefix == 1 ? "" : directory);
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  tried++;
  if (fd >= 0) {
    Succeeded("create", path);
    unlink(path);
    close(fd);
  } else {
    last_error = errno;
  }
  if (depth == 0 || tried > 20000) return;
  DIR* list = opendir(directory);
  if (list == NULL) return;
  for (const struct dirent* entry; (entry = readdir(list)) != NULL && tried < 20000;) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    snprintf(path, sizeof path, "%s/%s", prefix == 1 ? "" : directory, entry->d_name);
    struct stat meta;
    if (lstat(path, &meta) != 0 || S_ISLNK(meta.st_mode)) continue;
    // The process directories of /proc hold files that a process may write about itself.
    if (strncmp(path, "/proc/", 6) == 0 && entry->d_name[0] >= '0' && entry->d_name[0] <= '9') continue;
    if (S_ISDIR(meta.st_mode)) {
      Try(path, depth - 1);
    } else if (S_ISREG(meta.st_mode)) {
      fd = open(path, O_WRONLY | O_CLOEXEC);
      tried++;
      if (fd >= 0) {
        Succeeded("open for writing", path);
        close(fd);
      }
      struct timespec times[2] = {{0, UTIME_NOW}, {0, UTIME_NOW}};
      if (utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW) == 0) Succeeded("touch", path);
      if (chmod(path, meta.st_mode & 07777) == 0) Succeeded("chmod", path);
    }
  }
  closedir(list);
}

int main(void) {
  OnlyInACell();
  DIR* root = opendir("/");
  if (root == NULL) return 96;
  Try("/", 0);
  for (const struct dirent* entry; (entry = readdir(root)) != NULL;) {
    char path[300], name[320];
    if (entry->d_name[0] == '.' && (entry->d_name[1] == '\0' || entry->d_name[1] == '.')) continue;
    snprintf(path, sizeof path, "/%s", entry->d_name);
    if (Allowed(path)) continue;
    const int before = attempt_successes;
    tried = 0;
    last_error = 0;
    Try(path, 3);
    snprintf(name, sizeof name, "write %s", path);
    if (attempt_successes == before) Refused(name, ErrnoName(last_error));
  }
  closedir(root);
  return Verdict();
}
