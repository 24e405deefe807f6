#include "isolation/process/cell_setup.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>

namespace writ::isolation::process {

Result<> RaiseLoopback() {
  const sys::UniqueFd socket{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  if (!socket.valid()) return FailErrno("socket");
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (::ioctl(socket.get(), SIOCSIFFLAGS, &request) != 0) return FailErrno("raise lo");
  return {};
}

bool EnterTimeNamespace() {
  if (::unshare(CLONE_NEWTIME) != 0) return false;
  timespec mono{}, boot{};
  ::clock_gettime(CLOCK_MONOTONIC, &mono);
  ::clock_gettime(CLOCK_BOOTTIME, &boot);
  const std::string offsets = fmt::format("monotonic -{} 0\nboottime -{} 0\n", mono.tv_sec, boot.tv_sec);
  const sys::UniqueFd fd{::open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC)};
  return fd.valid() && ::write(fd.get(), offsets.data(), offsets.size()) == static_cast<ssize_t>(offsets.size());
}

Result<> BecomeSetupUser(const CellIds& ids) {
  if (!ids.whole_range) return {};
  if (::setgroups(0, nullptr) != 0) return FailErrno("drop supplementary groups");
  if (::setresgid(0, 0, 0) != 0 || ::setresuid(0, 0, 0) != 0) return FailErrno("become the cell's id 0");
  return {};
}

Result<> CloseAllBut(std::vector<int> kept) {
  std::sort(kept.begin(), kept.end());
  const auto close = [](unsigned first, unsigned last) { return first > last || ::syscall(SYS_close_range, first, last, 0u) == 0; };
  unsigned first = 3;
  for (const int fd : kept) {
    if (fd < 3) continue;
    if (!close(first, static_cast<unsigned>(fd) - 1)) return FailErrno("close_range");
    first = static_cast<unsigned>(fd) + 1;
  }
  if (!close(first, ~0u)) return FailErrno("close_range");
  return {};
}

Result<> EnterControlGroup(std::span<const sys::UniqueFd> tasks) {
  for (const sys::UniqueFd& file : tasks)
    if (::write(file.get(), "0", 1) != 1) return FailErrno("join the control group");
  if (::unshare(CLONE_NEWCGROUP) != 0) return FailErrno("unshare the cgroup namespace");
  return {};
}

Result<> KeepOnlyWhatIsNeeded() {
  constexpr std::uint32_t kKept = 1u << CAP_KILL | 1u << CAP_DAC_READ_SEARCH;
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> data{};
  data[0].effective = data[0].permitted = kKept;
  if (::syscall(SYS_capset, &header, data.data()) != 0) return FailErrno("drop capabilities");
  return {};
}

Result<> OutOfMemoryPreference::Open() {
  fd_ = sys::UniqueFd{::open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC)};
  char text[16];
  const ssize_t got = fd_.valid() ? ::pread(fd_.get(), text, sizeof text, 0) : -1;
  if (got <= 0) return FailErrno("read oom_score_adj");
  own_.assign(text, static_cast<std::size_t>(got));
  return {};
}

Result<> OutOfMemoryPreference::Write(std::string_view text) {
  if (::pwrite(fd_.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) return FailErrno("write oom_score_adj");
  return {};
}

}  // namespace writ::isolation::process
