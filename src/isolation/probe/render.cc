#include "isolation/probe/render.h"

#include <algorithm>

#include "base/escape.h"

namespace writ::isolation {

std::string RenderReport(const HostReport& report, const std::vector<TierVerdict>& tiers) {
  std::size_t width = 0;
  for (const Probe& probe : report.probes) width = std::max(width, EscapeVisible(probe.name).size());
  std::string out = fmt::format("host: {}, as {}\n\n", EscapeVisible(report.kernel), report.caller);
  std::size_t missing = 0;
  for (const Probe& probe : report.probes) {
    missing += probe.ok ? 0 : 1;
    out += fmt::format("{:<8} {:<{}}  {}\n", probe.ok ? "ok" : "MISSING", EscapeVisible(probe.name), width,
                       EscapeVisible(probe.detail));
    if (!probe.fix.empty())
      out += fmt::format("{:<8} {:<{}}  {}: {}\n", "", "", width, probe.ok ? "review" : "fix", EscapeVisible(probe.fix));
  }
  out += fmt::format("\n{} of {} present\n\ntiers:\n", report.probes.size() - missing, report.probes.size());
  for (const TierVerdict& verdict : tiers) {
    out += fmt::format("  {:<8} {}\n", verdict.tier, verdict.available ? "available" : "unavailable");
    for (const std::string& why : verdict.why_not) out += fmt::format("  {:<8}   because {}\n", "", EscapeVisible(why));
    for (const std::string& note : verdict.notes) out += fmt::format("  {:<8}   note: {}\n", "", EscapeVisible(note));
  }
  const auto process = std::ranges::find(tiers, "process", &TierVerdict::tier);
  if (process == tiers.end() || !process->available) return out;
  if (process->accept.empty())
    out += "\nEvery limit of the process tier is enforced here; nothing needs --accept.\n";
  else
    out += fmt::format("\nThis host enforces some limits only more weakly. A run is refused unless it says:\n  {}\n",
                       AcceptArguments(*process));
  return out;
}

}  // namespace writ::isolation
