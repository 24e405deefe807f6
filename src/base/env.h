#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace writ {

/// Looks up an environment variable; nullopt when it is not set. Passed in, so that tests need not change their own.
using EnvLookup = std::function<std::optional<std::string>(std::string_view)>;
/// The environment of this process.
EnvLookup ProcessEnv();

}  // namespace writ
