// Leaves a text wherever a later tenant might find it: files, shared memory, queues, names, pages. Argument: the text.
#include <mqueue.h>
#include <stddef.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "attempt.h"

int main(int argc, char** argv) {
  OnlyInACell();
  const char* text = argc > 1 ? argv[1] : "earlier-tenant";
  static const char* const kPlaces[] = {"/tmp", "/tmp/home", "/work", "/out", "/dev/shm"};
  char path[512];
  for (size_t i = 0; i < sizeof kPlaces / sizeof kPlaces[0]; ++i) {
    snprintf(path, sizeof path, "%s/%s", kPlaces[i], text);
    const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    for (int n = 0; fd >= 0 && n < 4096; ++n) {
      if (write(fd, text, strlen(text)) < 0) break;
    }
    if (fd >= 0) close(fd);
  }
  const int id = shmget(0x77726974, 1 << 20, IPC_CREAT | 0666);
  char* shared = id < 0 ? (char*)-1 : shmat(id, NULL, 0);
  if (shared != (char*)-1) strncpy(shared, text, 4096);
  struct {
    long type;
    char bytes[64];
  } message = {1, ""};
  strncpy(message.bytes, text, sizeof message.bytes - 1);
  const int queue = msgget(0x77726974, IPC_CREAT | 0666);
  if (queue >= 0 && msgsnd(queue, &message, sizeof message.bytes, IPC_NOWAIT) != 0) Say("msgsnd: %s", ErrnoName(errno));
  const int posix_fd = shm_open("/writ-mark", O_RDWR | O_CREAT, 0666);
  if (posix_fd >= 0 && write(posix_fd, text, strlen(text)) < 0) Say("shm_open: %s", ErrnoName(errno));
  const mqd_t posix_queue = mq_open("/writ-mark", O_RDWR | O_CREAT, 0666, NULL);
  if (posix_queue != (mqd_t)-1) mq_send(posix_queue, text, strlen(text), 0);
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path + 1, text, sizeof address.sun_path - 2);
  const int listener = socket(AF_UNIX, SOCK_STREAM, 0);
  if (bind(listener, (struct sockaddr*)&address, sizeof address) == 0) listen(listener, 1);
  syscall(SYS_add_key, "user", text, text, strlen(text), -4);
  prctl(PR_SET_NAME, text, 0, 0, 0);
  char* pages = mmap(NULL, 32u << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (size_t at = 0; pages != MAP_FAILED && at + 64 < 32u << 20; at += 64) strncpy(pages + at, text, 63);
  Say("marks: left");
  return 0;
}
