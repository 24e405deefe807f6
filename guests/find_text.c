// Looks for texts of the host (secrets, an earlier tenant's marks) in everything it can read about processes, in its own
// memory from the start, and in every writable place. Arguments: the texts, reversed, so that looking for them does not
// plant them.
#include <dirent.h>
#include <stdint.h>
#include <sys/stat.h>

#include "attempt.h"

static char bytes[1 << 14];  // small: for a file of /proc/sys the kernel allocates as much as is asked for

/// The needle backwards, compared from its end, so that the plain text stands nowhere in this process.
static int Contains(size_t length, const char* reversed) {
  const size_t size = strlen(reversed);
  if (size == 0 || size > length) return 0;
  const char* const end = bytes + length - size + 1;
  for (const char* at = bytes; at < end && (at = memchr(at, reversed[size - 1], (size_t)(end - at))) != NULL; ++at) {
    size_t i = 1;
    while (i < size && at[i] == reversed[size - 1 - i]) i++;
    if (i == size) return 1;
  }
  return 0;
}

static int found;

static void LookInFile(const char* path, int argc, char** argv) {
  const int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return;
  size_t kept = 0;
  for (size_t total = 0; total < 64u << 20;) {
    const ssize_t got = read(fd, bytes + kept, sizeof bytes - kept);
    if (got <= 0) break;
    const size_t length = kept + (size_t)got;
    total += (size_t)got;
    for (int i = 1; i < argc; ++i) {
      if (!Contains(length, argv[i])) continue;
      Succeeded("text-found", path);
      found++;
    }
    kept = length < 256 ? length : 256;  // a text may lie across the border of two reads
    memmove(bytes, bytes + length - kept, kept);
  }
  close(fd);
}

static void LookBelow(const char* directory, int depth, int argc, char** argv) {
  DIR* list = opendir(directory);
  if (list == NULL || depth == 0) {
    if (list != NULL) closedir(list);
    return;
  }
  for (const struct dirent* entry; (entry = readdir(list)) != NULL;) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    char path[2048];
    snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
    for (int i = 1; i < argc; ++i) {  // names tell as well
      const size_t length = strlen(entry->d_name);
      memcpy(bytes, entry->d_name, length);
      if (Contains(length, argv[i])) Succeeded("text-in-a-name", path);
    }
    struct stat meta;
    if (lstat(path, &meta) != 0) continue;
    if (S_ISDIR(meta.st_mode)) LookBelow(path, depth - 1, argc, argv);
    if (S_ISREG(meta.st_mode)) LookInFile(path, argc, argv);
  }
  closedir(list);
}

/// Memory that the kernel hands out must be zero: pages of anonymous maps and of files just made longer.
static void LookInFreshMemory(void) {
  const size_t size = 64u << 20;
  uint64_t* words = calloc(1, size);
  for (size_t i = 0; words != NULL && i < size / sizeof *words; i += 8) {
    if (words[i] == 0) continue;
    Succeeded("fresh-memory", "is not zero");
    break;
  }
  free(words);
  const int fd = open("/tmp/fresh", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0 || posix_fallocate(fd, 0, 4 << 20) != 0) {
    if (fd >= 0) close(fd);
    return;
  }
  for (ssize_t got; (got = read(fd, bytes, sizeof bytes)) > 0;) {
    if (bytes[0] == 0 && memcmp(bytes, bytes + 1, (size_t)got - 1) == 0) continue;
    Succeeded("fresh-file", "is not zero");
    break;
  }
  close(fd);
  unlink("/tmp/fresh");
}

int main(int argc, char** argv) {
  LookInFreshMemory();
  static const char* const kProcessFiles[] = {"environ", "cmdline", "comm", "stat", "status", "mountinfo", "maps", "wchan",
                                              "stack",   "mem",     "auxv", "cgroup", "cpuset", "sched",  "limits"};
  DIR* list = opendir("/proc");
  for (const struct dirent* entry; list != NULL && (entry = readdir(list)) != NULL;) {
    if (entry->d_name[0] < '0' || entry->d_name[0] > '9') continue;
    for (size_t i = 0; i < sizeof kProcessFiles / sizeof kProcessFiles[0]; ++i) {
      char path[512];
      snprintf(path, sizeof path, "/proc/%s/%s", entry->d_name, kProcessFiles[i]);
      LookInFile(path, argc, argv);
    }
  }
  if (list != NULL) closedir(list);
  static const char* const kPlaces[] = {"/tmp", "/dev", "/work", "/out", "/in", "/run", "/var", "/etc", "/home", "/root", "/.cell",
                                        "/proc/sys", "/proc/net", "/proc/sysvipc"};
  for (size_t i = 0; i < sizeof kPlaces / sizeof kPlaces[0]; ++i) LookBelow(kPlaces[i], 8, argc, argv);
  if (found == 0) Refused("texts", "ABSENT");
  return Verdict();
}
