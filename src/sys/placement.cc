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

std::string Processors::Text() const {
  if (!two_) return "";
  std::string text = preempts_ ? "other" : "same";
  for (int processor = 0; processor < CPU_SETSIZE; ++processor)
    if (CPU_ISSET(processor, &*two_)) text += ' ' + std::to_string(processor);
  return text;
}

Processors Processors::FromText(std::string_view text) {
  Processors own;
  own.preempts_ = text.starts_with("other ");
  if (!own.preempts_ && !text.starts_with("same ")) return own;
  text.remove_prefix(text.find(' '));
  cpu_set_t set;
  CPU_ZERO(&set);
  while (text.starts_with(' ')) {
    int processor = -1;
    const auto [end, error] = std::from_chars(text.data() + 1, text.data() + text.size(), processor);
    if (error != std::errc{} || processor < 0 || processor >= CPU_SETSIZE) return own;
    CPU_SET(processor, &set);
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  }
  if (text.empty() && CPU_COUNT(&set) == 2) own.two_ = set;
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

void Processors::StartHere(pid_t child) const {
  const int here = ::sched_getcpu();
  if (!two_ || here < 0) return;
  cpu_set_t own;
  CPU_ZERO(&own);
  CPU_SET(here, &own);
  ::sched_setaffinity(child, sizeof own, &own);
}

void Processors::GiveBack() const {
  if (!two_) return;
  constexpr sched_param kNoPriority{};
  if (preempts_) ::sched_setscheduler(0, SCHED_OTHER, &kNoPriority);
  ::sched_setaffinity(0, sizeof *two_, &*two_);
}

}  // namespace writ::sys
