#pragma once

#include <string_view>

#include "net/ip_address.h"

namespace writ::net {

/// An address that a test wrote down.
inline IpAddress Ip(std::string_view text) { return IpAddress::FromText(text).value(); }

}  // namespace writ::net
