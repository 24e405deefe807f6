#pragma once

#include <cstdint>
#include <string>

namespace writ::egress {

/// The HTTP proxy that this network demands for leaving it. Names are then looked up there, not here.
struct UpstreamProxy {
  std::string host;  ///< name or address
  std::uint16_t port = 0;
  std::string authorization;  ///< value of Proxy-Authorization; empty for none. Never shown to the job.
};

}  // namespace writ::egress
