#pragma once

#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "egress/interception.h"
#include "isolation/backend.h"
#include "policy/egress.h"
#include "secrets/edge_secret.h"

namespace writ::session {

/// Whether these rules and secrets need the requests of some host to be read inside TLS.
bool NeedsInterception(const policy::EgressRules& rules, const std::vector<secrets::EdgeSecret>& secrets);

/// A secret that is bound to a host is put into requests by the proxy, so there must be a way to that host.
/// Errors: kInvalid naming the secret, the host and the option that opens the way.
Result<> CheckWayTo(const std::vector<secrets::EdgeSecret>& secrets, bool network_asked, const policy::EgressRules& rules);

/// A certificate authority of this run alone, and in `spec` what makes programs of the job trust it: the host's own roots
/// and its certificate in one file of /run/writ, and the usual variables where the job's environment has none.
/// Errors: kInternal when no key can be made, those of reading the host's roots.
Result<std::shared_ptr<const egress::Interception>> MakeInterception(std::vector<secrets::EdgeSecret> secrets, WallTime now,
                                                                     isolation::SessionSpec& spec);

}  // namespace writ::session
