#include "cli/server_exec.h"

#include <unistd.h>

#include <cerrno>
#include <string>

namespace writ::cli {

bool IsServerCommand(std::string_view name) { return name == "serve" || name == "runner"; }

Error BecomeServer(char** argv) {
  char self[4096];
  const ssize_t length = ::readlink("/proc/self/exe", self, sizeof self);
  if (length <= 0) return ErrnoError(errno, "/proc/self/exe");
  std::string directory(self, static_cast<std::size_t>(length));
  directory.resize(directory.rfind('/'));
  for (const std::string& path : {directory + "/writ-server", directory + "/../libexec/writ/writ-server"}) {
    if (::access(path.c_str(), X_OK) != 0) continue;
    ::execv(path.c_str(), argv);
    return ErrnoError(errno, path);
  }
  return Error{Code::kNotFound, fmt::format("the program writ-server is neither in {} nor in ../libexec/writ beside it: install it there", directory)};
}

}  // namespace writ::cli
