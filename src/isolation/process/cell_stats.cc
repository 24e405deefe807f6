#include "isolation/process/cell_stats.h"

#include <unistd.h>

#include <charconv>
#include <string_view>

namespace writ::isolation::process {
namespace {

std::optional<std::uint64_t> Number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{}) return std::nullopt;
  return value;
}

/// Value of "key value" in a flat keyed file.
std::optional<std::uint64_t> Keyed(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.size() > key.size() && line.starts_with(key) && line[key.size()] == ' ') return Number(line.substr(key.size() + 1));
  }
  return std::nullopt;
}

}  // namespace

int CellStats::Find(std::string_view name) const {
  for (const auto& [known, fd] : files_)
    if (known == name) return fd.get();
  return -1;
}

std::string CellStats::Read(std::string_view name) const {
  char text[4096];
  const ssize_t got = ::pread(Find(name), text, sizeof text, 0);
  return got > 0 ? std::string(text, static_cast<std::size_t>(got)) : std::string{};
}

std::optional<Millis> CellStats::CpuTime() const {
  if (const auto ns = Number(Read("v1.cpu"))) return Millis{*ns / 1'000'000};
  if (const auto us = Keyed(Read("v2.cpu"), "usage_usec")) return Millis{*us / 1000};
  return std::nullopt;
}

std::optional<std::uint64_t> CellStats::MemoryPeak() const {
  if (const auto peak = Number(Read("v1.peak"))) return peak;
  return Number(Read("v2.peak"));
}

std::uint64_t CellStats::OutOfMemoryKills() const {
  if (const auto kills = Keyed(Read("v1.oom"), "oom_kill")) return *kills;
  return Keyed(Read("v2.oom"), "oom_kill").value_or(0);
}

}  // namespace writ::isolation::process
