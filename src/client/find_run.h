#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "remote/plane_connection.h"

namespace writ::client {

/// The run of a plane that a person means: its whole id, or an unambiguous beginning of it, with or without `run_`, as for
/// runs of this machine. A plane that cannot look one up is asked for its list.
/// Errors: kInvalid for what is no id, and for a beginning of several, naming them; kNotFound; those of PlaneConnection.
Result<std::string> FindRun(remote::PlaneConnection& plane, std::string_view named);

}  // namespace writ::client
