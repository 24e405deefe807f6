#pragma once

#include <cstdint>
#include <string_view>

#include "policy/egress_rule.h"

namespace writ::policy {

/// Where a test's job wants to go.
inline EgressTarget To(std::string_view host, std::uint16_t port) { return {net::NormaliseHost(host).value(), port, {}}; }

}  // namespace writ::policy
