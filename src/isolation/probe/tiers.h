#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "isolation/probe/host_report.h"

namespace writ::isolation {

/// Whether a tier can run here for this caller.
struct TierVerdict {
  std::string tier{};  ///< "process", "wasm", "oci", "microvm"
  bool available = false;
  std::vector<std::string> why_not{};  ///< "namespace.net: unshare: No space left on device"; empty when available
  /// Weaker mechanisms the host forces: limit -> mechanism. A run names them with --accept or is refused.
  std::map<std::string, std::string, std::less<>> accept{};
  std::vector<std::string> notes{};  ///< what is missing although the tier is available, or must be reviewed
};

/// Pure: what the report's probes allow. `built` names the tiers this program can run ("process", ...); the others
/// are unavailable because of that. A probe that is absent from the report counts as missing.
std::vector<TierVerdict> JudgeTiers(const HostReport& report, const std::vector<std::string>& built);

/// "--accept groups=kept --accept memory=rlimit"; empty when nothing needs accepting.
std::string AcceptArguments(const TierVerdict& verdict);

/// {"tier","available","whyNot":[..],"accept":{..},"notes":[..]}
canon::Json ToJson(const TierVerdict& verdict);

}  // namespace writ::isolation
