#pragma once

#include "base/error.h"
#include "sys/unique_fd.h"

namespace writ::workspace {

/// Refuses a workspace that is, contains or lies inside the state directory, by device and inode of all their
/// ancestors, so that links and bind mounts do not hide it: a run could read keys or change its own evidence.
/// `state`: the state directory; when it is not there yet, create it first.
/// Errors: kDenied, saying which contains which.
Result<> CheckApart(const sys::UniqueFd& workspace, const sys::UniqueFd& state);

}  // namespace writ::workspace
