#pragma once

#include <string>

#include "base/error.h"
#include "crypto/secret.h"

namespace writ::cli {

/// Asks on `terminal_fd` (written and read; borrowed) for a line that is not shown. The terminal is as before when this
/// returns, also after Ctrl-C. Errors: kInvalid when it was interrupted or nothing was entered; kExhausted for a line
/// longer than a value may be; those of the terminal.
Result<crypto::SecretBytes> AskForSecret(int terminal_fd, const std::string& question);

}  // namespace writ::cli
