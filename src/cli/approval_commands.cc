// Consent: for runs of a plane, and for runs of this machine.
#include "cli/commands.h"
#include "cli/plane_link.h"

namespace writ::cli {
namespace {

/// Whether runs of a plane are meant: one is named, here or in the environment.
bool MeansPlane(const Context& context) {
  const auto variable = context.env("WRIT_PLANE");
  return NamesPlane(context) || (variable && !variable->empty());
}

int NoPlane(Context& context) {
  return Complain(context, Error{Code::kInvalid, "name the plane whose runs are meant: --plane URL|NAME, or WRIT_PLANE"}, 2);
}

}  // namespace

int ApproveCommand(Context& context) { return MeansPlane(context) ? PlaneApprove(context) : NoPlane(context); }
int DenyCommand(Context& context) { return MeansPlane(context) ? PlaneDeny(context) : NoPlane(context); }
int PendingCommand(Context& context) { return MeansPlane(context) ? PlanePending(context) : NoPlane(context); }

}  // namespace writ::cli
