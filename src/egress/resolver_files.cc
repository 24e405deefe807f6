#include "egress/resolver_files.h"

#include <algorithm>

#include "base/units.h"
#include "net/host_name.h"
#include "sys/file.h"

namespace writ::egress {
namespace {

constexpr std::size_t kFileBytesMax = 16U << 20;
constexpr std::uint64_t kTimeoutSecondsMax = 30, kRoundsMax = 5;

/// Cuts the next line off `text`, without the comment it may end with.
std::string_view NextLine(std::string_view& text, std::string_view comment) {
  const auto end = std::min(text.find('\n'), text.size());
  std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line.substr(0, std::min(line.find_first_of(comment), line.size()));
}

/// Cuts the next word off `line`; empty at its end.
std::string_view NextWord(std::string_view& line) {
  constexpr std::string_view kBlank = " \t\r";
  line.remove_prefix(std::min(line.find_first_not_of(kBlank), line.size()));
  const std::string_view word = line.substr(0, std::min(line.find_first_of(kBlank), line.size()));
  line.remove_prefix(word.size());
  return word;
}

void ReadOptions(std::string_view line, ResolverFiles& files) {
  for (auto word = NextWord(line); !word.empty(); word = NextWord(line)) {
    if (word.starts_with("timeout:")) {
      if (const auto seconds = ParseCount(word.substr(8), kTimeoutSecondsMax)) {
        files.attempt_timeout = std::chrono::seconds(*seconds);
      }
    } else if (word.starts_with("attempts:")) {
      if (const auto rounds = ParseCount(word.substr(9), kRoundsMax)) files.rounds = static_cast<unsigned>(*rounds);
    }
  }
}

Result<std::string> ReadIfThere(const char* path) {
  auto text = sys::ReadFile(path, kFileBytesMax);
  if (!text && text.error().code == Code::kNotFound) return std::string();
  return text;
}

}  // namespace

void ReadHosts(std::string_view text, ResolverFiles& files) {
  while (!text.empty()) {
    std::string_view line = NextLine(text, "#");
    const auto address = net::IpAddress::FromText(NextWord(line));
    if (!address) continue;
    for (auto word = NextWord(line); !word.empty(); word = NextWord(line)) {
      const auto host = net::NormaliseHost(word);
      if (!host || host->address || files.hosts.size() >= ResolverFiles::kHostsMax) continue;
      auto& addresses = files.hosts[host->name];
      if (std::ranges::find(addresses, *address) == addresses.end()) addresses.push_back(*address);
    }
  }
}

void ReadResolvConf(std::string_view text, ResolverFiles& files) {
  while (!text.empty()) {
    std::string_view line = NextLine(text, "#;");
    const std::string_view key = NextWord(line);
    if (key == "nameserver") {
      const auto address = net::IpAddress::FromText(NextWord(line));
      if (address && files.nameservers.size() < ResolverFiles::kNameserversMax) files.nameservers.push_back(*address);
    } else if (key == "options") {
      ReadOptions(line, files);
    }
  }
}

Result<ResolverFiles> LoadResolverFiles() {
  ResolverFiles files;
  ReadHosts(WRIT_TRY("read hosts", ReadIfThere("/etc/hosts")), files);
  ReadResolvConf(WRIT_TRY("read resolv.conf", ReadIfThere("/etc/resolv.conf")), files);
  if (files.nameservers.empty())
    files.nameservers.push_back(net::IpAddress::V4(std::array<std::uint8_t, 4>{127, 0, 0, 1}));
  return files;
}

}  // namespace writ::egress
