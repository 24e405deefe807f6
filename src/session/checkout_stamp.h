#pragma once

#include <cstddef>
#include <string>

#include "base/error.h"
#include "sys/unique_fd.h"

namespace writ::session {

/// SHA-256 over path, kind, mode, owner, size, inode and both times of everything in a tree, which reads no content:
/// whoever changes a file without being root changes its ctime too.
/// Errors: those of walking; kExhausted for more than `entries_max` entries.
Result<std::string> StampOf(const sys::UniqueFd& tree, std::size_t entries_max);

}  // namespace writ::session
