#pragma once

#include <string>
#include <string_view>

#include "workspace/manifest.h"

namespace writ::workspace {

/// Why a path that a run wrote deserves a look before it is used: a file that git, an editor, a shell, a package
/// manager or a build service reads or executes on its own, a set-id bit, or a link that leads out of the
/// workspace. Empty when nothing is known. Case does not count: file systems of other systems ignore it.
std::string DangerOf(std::string_view path, const FileState& after);

}  // namespace writ::workspace
