#pragma once

#include <string_view>

#include "base/error.h"

namespace writ::cli {

/// Whether the program writ-server carries this command out: `writ` itself links no server.
bool IsServerCommand(std::string_view name);

/// Becomes writ-server, which is beside the running program or in ../libexec/writ/, with the same arguments and
/// environment. Returns only on an error: kNotFound when it is not installed.
Error BecomeServer(char** argv);

}  // namespace writ::cli
