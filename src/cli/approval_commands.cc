// Consent: for runs of a plane, and for runs of this machine.
#include "cli/commands.h"
#include "cli/local_approvals.h"
#include "cli/plane_link.h"

namespace writ::cli {
namespace {

/// Whether runs of a plane are meant: one is named, here or in the environment.
bool MeansPlane(const Context& context) {
  const auto variable = context.env("WRIT_PLANE");
  return NamesPlane(context) || (variable && !variable->empty());
}

}  // namespace

int ApproveCommand(Context& context) { return MeansPlane(context) ? PlaneApprove(context) : LocalApprove(context); }
int DenyCommand(Context& context) { return MeansPlane(context) ? PlaneDeny(context) : LocalDeny(context); }
int PendingCommand(Context& context) { return MeansPlane(context) ? PlanePending(context) : LocalPending(context); }

}  // namespace writ::cli
