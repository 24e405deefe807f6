#include "api/plane/gate.h"

#include "plane/claims.h"

namespace writ::api {

using plane::Answer;
using plane::Lockout;

Answer<storage::Principal> Admit(plane::Core& core, std::string_view authorization, std::string_view address,
                                 plane::Capability capability, Counted counted) {
  const MonoTime now = core.clock.Mono();
  const auto locked = [] { return plane::Plain(429, "too many authentication failures; backing off"); };
  const auto token = plane::BearerToken(authorization);
  auto principal = token ? WRIT_ANSWER(core.store.FindPrincipalByToken(plane::HashToken(*token)))
                         : std::optional<storage::Principal>();
  if (!principal) {
    if (core.lockout.UnknownLocked(address, now)) return locked();
    core.lockout.Failed(address, Lockout::kUnknown, now);
    return plane::Plain(401, "unauthorized");
  }
  if (core.lockout.Locked(address, principal->name, now)) return locked();
  if (!plane::RoleHas(principal->role, capability)) {
    core.lockout.Failed(address, principal->name, now);
    return plane::Plain(403, "forbidden: principal lacks the required role");
  }
  core.lockout.LetIn(address, principal->name, now);
  if (counted == Counted::kNow && !core.rate.Take(principal->name, now)) return plane::Plain(429, "rate limit exceeded");
  return *std::move(principal);
}

Answer<> MayUploadBlob(plane::Core& core, std::string_view authorization, std::string& caller) {
  const auto token = plane::BearerToken(authorization);
  if (!token) return plane::Plain(401, "unauthorized");
  const auto principal = WRIT_ANSWER(core.store.FindPrincipalByToken(plane::HashToken(*token)));
  if (principal) {
    caller = principal->name;
    if (!plane::RoleHas(principal->role, plane::Capability::kBlobsWrite)) return plane::Plain(401, "unauthorized");
    return {};
  }
  const auto opened = plane::OpenClaimToken(*token, core.keys.plane.public_key());
  if (!opened) return plane::Plain(401, "unauthorized");
  const auto reporter = plane::CheckReporter(core, *token, opened->run_id, core.clock.Now());
  if (!reporter || reporter->held == nullptr) return plane::Plain(401, "unauthorized");
  caller = opened->runner_id;
  return {};
}

}  // namespace writ::api
