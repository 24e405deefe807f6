#pragma once

#include <map>
#include <string>
#include <vector>

#include "isolation/probe/host_report.h"

namespace writ::isolation {

/// Whether a tier can run here for this caller.
struct TierVerdict {
  std::string tier;  ///< "process", "wasm", "oci", "microvm"
  bool available = false;
  std::vector<std::string> why_not;  ///< names of the missing probes; empty when available
  /// Weaker mechanisms the host forces: limit -> mechanism. A run names them with --accept or is refused.
  std::map<std::string, std::string, std::less<>> accept;
  std::vector<std::string> notes;    ///< what is weaker or must be reviewed although the tier is available
};

/// Pure: what the report's probes allow, tiers in the order of strength of design.md section 5.
std::vector<TierVerdict> JudgeTiers(const HostReport& report);

/// "--accept groups=kept --accept memory=rlimit"; empty when nothing needs accepting.
std::string AcceptArguments(const TierVerdict& verdict);

/// {"tier","available","whyNot":[..],"accept":{..},"notes":[..]}
canon::Json ToJson(const TierVerdict& verdict);

/// Screen of `writ doctor`: each probe with ok or missing and its fix, then the tiers, then the accept list.
std::string RenderReport(const HostReport& report);

}  // namespace writ::isolation
