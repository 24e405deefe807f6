#pragma once

#include <optional>
#include <string_view>

#include "base/env.h"
#include "base/error.h"
#include "egress/upstream_proxy.h"

namespace writ::api {

/// `$WRIT_UPSTREAM_PROXY`: the HTTP proxy that this network demands for leaving it, as `http://[USER:PASSWORD@]HOST:PORT`.
/// Absent or empty: none. Errors: kInvalid, without repeating user and password.
Result<std::optional<egress::UpstreamProxy>> UpstreamProxyOf(const EnvLookup& env);

}  // namespace writ::api
