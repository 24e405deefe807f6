#include "sys/swap.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "sys/unique_fd.h"

namespace writ::sys {

bool ListsSwap(std::string_view proc_swaps) {
  const auto lines = std::count(proc_swaps.begin(), proc_swaps.end(), '\n');
  return lines != 1 || !proc_swaps.starts_with("Filename") || !proc_swaps.ends_with('\n');
}

bool HostHasSwap() {
  std::array<char, 4096> text;  // the heading and a first line fit many times
  const UniqueFd fd{::open("/proc/swaps", O_RDONLY | O_CLOEXEC)};
  const ssize_t got = fd.valid() ? ::read(fd.get(), text.data(), text.size()) : 0;
  return ListsSwap({text.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0))});
}

}  // namespace writ::sys
