#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace writ::contract {

/// The request boundary's checks of names. Clients compare the texts of errors, so they are fixed; they quote the
/// input as it is, so escape them before showing them on a terminal. All errors are kInvalid.

/// `^[A-Za-z_][A-Za-z0-9_]*$`, at most 256. Also for the names of environment variables.
/// Error: `secret name "N" must be a POSIX environment identifier`.
Result<std::string> CheckSecretName(std::string_view name);
bool IsEnvName(std::string_view name);

/// `^[A-Za-z0-9_.:-]{1,128}$`. Error: `pool name "P" contains unsupported characters`.
Result<std::string> CheckPoolName(std::string_view pool);

/// Trimmed, ASCII lower-cased, one trailing dot removed; then 1 to 253 characters without `/ @ :`.
/// (The original also lower-cases letters beyond ASCII. Such names match nothing in either: names on the wire are ASCII.)
/// Error: `host allowlist entry "H" is not a bare host name`.
Result<std::string> CheckAllowHost(std::string_view host);

/// A path below a workspace: not empty, no leading `/` or drive letter, no `..` component, no `//`, no `\`, no NUL, no
/// line end (LF, CR, U+2028, U+2029). Error: `workspace path "P" must be a safe relative path`.
Result<std::string> CheckWorkspacePath(std::string_view path);

/// Resolves a path as a job's `cwd` is resolved: `\` becomes `/`, then CheckWorkspacePath, then it is joined to `root`
/// without `.` components and trailing slashes. Links are not looked at. Precondition: `root` is absolute.
Result<std::string> ResolveInside(std::string_view root, std::string_view path);

}  // namespace writ::contract
