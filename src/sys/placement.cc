#include "sys/placement.h"

#include <fcntl.h>
#include <unistd.h>

#include <charconv>

#include "sys/unique_fd.h"

namespace writ::sys {

std::optional<unsigned> RunningThreads(std::string_view loadavg) {
  for (int field = 0; field < 3; ++field) {
    const std::size_t space = loadavg.find(' ');
    if (space == std::string_view::npos) return std::nullopt;
    loadavg.remove_prefix(space + 1);
  }
  unsigned running = 0;
  const char* const last = loadavg.data() + loadavg.size();
  const auto [end, error] = std::from_chars(loadavg.data(), last, running);
  if (error != std::errc{} || end == last || *end != '/') return std::nullopt;
  return running;
}

Processors Processors::Own() {
  Processors own;
  cpu_set_t allowed;
  if (::sched_getaffinity(0, sizeof allowed, &allowed) == 0 && CPU_COUNT(&allowed) == 2) own.two_ = allowed;
  own.preempts_ = ::sched_getscheduler(0) == SCHED_OTHER;
  return own;
}

void Processors::StartOnOther(pid_t child, unsigned running_max) const {
  const int here = ::sched_getcpu();
  if (!two_ || here < 0) return;
  const UniqueFd loadavg{::open("/proc/loadavg", O_RDONLY | O_CLOEXEC)};
  char text[128];
  const ssize_t got = loadavg.valid() ? ::read(loadavg.get(), text, sizeof text) : -1;
  const auto running = RunningThreads({text, got > 0 ? static_cast<std::size_t>(got) : 0});
  if (!running || *running > running_max) return;
  cpu_set_t other = *two_;
  CPU_CLR(here, &other);
  constexpr sched_param kNoPriority{};
  if (preempts_) ::sched_setscheduler(child, SCHED_BATCH, &kNoPriority);
  ::sched_setaffinity(child, sizeof other, &other);
}

void Processors::GiveBack() const {
  if (!two_) return;
  constexpr sched_param kNoPriority{};
  if (preempts_) ::sched_setscheduler(0, SCHED_OTHER, &kNoPriority);
  ::sched_setaffinity(0, sizeof *two_, &*two_);
}

}  // namespace writ::sys
