#include <unistd.h>

#include "cli/commands.h"
#include "cli/host_probe.h"
#include "isolation/probe/render.h"
#include "isolation/probe/tiers.h"
#include "storage/state_dir.h"
#include "sys/file.h"

namespace writ::cli {
namespace {

using canon::Json;

/// A report is worth having where no state directory can be made: then it is not kept.
class NoStore final : public isolation::ReportStore {
 public:
  Result<std::optional<std::string>> Get() override { return std::nullopt; }
  Result<> Put(std::string_view) override { return {}; }
};

bool ProcessTierRuns(const std::vector<isolation::TierVerdict>& tiers) {
  for (const auto& tier : tiers) {
    if (tier.tier == "process") return tier.available && tier.accept.empty();
  }
  return false;
}

}  // namespace

int DoctorCommand(Context& context) {
  const auto path = storage::DefaultStatePath(context.env, ::geteuid() == 0);
  if (!path) return Complain(context, path.error());
  NoStore no_store;
  isolation::FileReportStore file_store(HostReportFile(*path));
  const auto state = storage::StateDir::Open(*path, storage::StateAccess::kWrite);
  if (!state) Warn(context, fmt::format("the report is not kept: {}", state.error().what));
  isolation::ReportStore& store = state ? static_cast<isolation::ReportStore&>(file_store) : no_store;
  const auto refresh = context.invocation.Has("refresh") ? isolation::Refresh::kAlways : isolation::Refresh::kIfOutdated;
  std::optional<Error> problem;
  const auto probed = isolation::CachedProbeHost(HostProbeOptions(*path), WRIT_VERSION, store, refresh, &problem);
  if (!probed) return Complain(context, probed.error());
  if (problem) Warn(context, fmt::format("the report is not kept: {}", problem->what));

  const auto tiers = isolation::JudgeTiers(probed->report, {"process"});
  const bool runs = ProcessTierRuns(tiers);
  int printed = 0;
  if (context.json()) {
    Json list = Json::MakeArray();
    for (const auto& tier : tiers) list.Append(isolation::ToJson(tier));
    printed = PrintJson(context, Json::Of({{"ok", runs},
                                           {"digest", probed->digest},
                                           {"fresh", probed->fresh},
                                           {"report", isolation::ToJson(probed->report)},
                                           {"tiers", std::move(list)}}));
  } else {
    printed = Print(context, isolation::RenderReport(probed->report, tiers));
  }
  return runs ? printed : 1;
}

}  // namespace writ::cli
