#pragma once

#include <string>
#include <vector>

#include "isolation/probe/host_report.h"
#include "isolation/probe/tiers.h"

namespace writ::isolation {

/// Screen of `writ doctor`: each probe with ok or missing and its fix, then the tiers, then the accept list of the
/// process tier. Ends with a newline. Nothing in it can move the cursor: hostile text is escaped.
std::string RenderReport(const HostReport& report, const std::vector<TierVerdict>& tiers);

}  // namespace writ::isolation
