#pragma once

#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "sys/unique_fd.h"

namespace writ::http {

/// An address and port that belong to this process and do not listen yet. A program takes it while it still has the
/// privilege that a port below 1024 needs (ip(7), "ip_unprivileged_port_start"), and gives it to a Server afterwards.
struct Listener {
  sys::UniqueFd fd;
  std::uint16_t port = 0;
  bool loopback = false;
  bool ipv6 = false;
};

/// `host`: an address of this machine, or localhost. Port 0: any free one.
/// Errors: kInvalid for what is no address; kDenied when the port needs a privilege; kUnavailable when it cannot be had.
Result<Listener> BindListener(std::string_view host, std::uint16_t port);

}  // namespace writ::http
