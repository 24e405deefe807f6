#pragma once

#include "cli/context.h"

namespace writ::cli {

// Consent for runs of this machine: what `writ pending`, `writ approve` and `writ deny` do when no plane is meant. Who
// answers is the user of this process, by the name of the real uid.
int LocalPending(Context& context);
int LocalApprove(Context& context);
int LocalDeny(Context& context);

/// Asks on the terminal whether to approve what was shown. Anything but `yes` is no.
Result<bool> ConfirmApproval();

}  // namespace writ::cli
