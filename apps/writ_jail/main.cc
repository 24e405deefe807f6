// writ-jail: the privileged helper. Started by the process backend with its socket as descriptor 3; never by hand.

#include <fcntl.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <string_view>

#include "isolation/process/jail.h"

int main(int argc, char** argv) {
  constexpr int kSocket = 3;
  writ::isolation::process::JailOptions options;
  const bool called_right = argc == 3 || (argc == 4 && std::string_view(argv[3]) == "one-run");
  const std::string_view warm = called_right ? argv[1] : "";
  const auto [end, error] = std::from_chars(warm.data(), warm.data() + warm.size(), options.warm_cells);
  if (!called_right || error != std::errc{} || end != warm.data() + warm.size() || ::fcntl(kSocket, F_SETFD, FD_CLOEXEC) != 0) {
    std::fputs("writ-jail: is started by writ, which gives it a socket; use `writ run`\n", stderr);
    return 2;
  }
  options.delegated_cgroup = argv[2];
  options.one_run = argc == 4;
  return writ::isolation::process::RunJail(writ::sys::UniqueFd{kSocket}, options);
}
