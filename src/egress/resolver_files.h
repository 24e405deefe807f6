#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "net/ip_address.h"

namespace writ::egress {

/// What hosts(5) and resolv.conf(5) say, as far as absolute names need it. Search lists and ndots are left out: a name
/// is looked up as it was granted.
struct ResolverFiles {
  std::map<std::string, std::vector<net::IpAddress>, std::less<>> hosts;
  std::vector<net::IpAddress> nameservers;  ///< at most kNameserversMax, port 53
  Millis attempt_timeout{2'000};            ///< one question to one server
  unsigned rounds = 2;                      ///< times that every server is asked

  static constexpr std::size_t kNameserversMax = 3;
  static constexpr std::size_t kHostsMax = 100'000;
};

/// Adds the lines of a hosts file; lines that are none are skipped, as the C library does.
void ReadHosts(std::string_view text, ResolverFiles& files);
/// Adds nameservers and the options timeout and attempts; other lines are skipped. A server with a zone is skipped.
void ReadResolvConf(std::string_view text, ResolverFiles& files);
/// /etc/hosts and /etc/resolv.conf. A missing file says nothing; without a nameserver it is 127.0.0.1, as in the C
/// library. Errors: kDenied and others when a file is there and cannot be read.
Result<ResolverFiles> LoadResolverFiles();

}  // namespace writ::egress
