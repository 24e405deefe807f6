#include "api/plane/body_reader.h"
#include "api/plane/route.h"
#include "plane/enrol.h"

namespace writ::api {
namespace {

using canon::Json;
using plane::Capability;

Answer<PlaneReply> ListPrincipals(Asked& asked) {
  Json rows = Json::MakeArray();
  for (const auto& principal : WRIT_ANSWER(asked.core.store.Principals()))
    rows.Append(Json::Of({{"name", principal.name},
                          {"role", principal.role},
                          {"createdAt", FormatTimestamp(principal.created)},
                          {"revoked", principal.revoked}}));
  return JsonReply(Json::Of({{"principals", std::move(rows)}}));
}

Answer<PlaneReply> IssuePrincipal(Asked& asked) {
  BodyReader reader(*asked.body);
  const std::string name = reader.Text("name", 1, 128);
  const std::string role = reader.Text("role", 0, 128);
  if (!plane::IsRole(role))
    reader.Issue("role: Invalid option: expected one of \"admin\"|\"requester\"|\"approver\"|\"enroller\"");
  WRIT_ANSWER(reader.Finish());
  const auto issued = WRIT_ANSWER(plane::IssuePrincipal(asked.core.store, *asked.change, name, role));
  asked.change->AfterCommit([&core = asked.core] { core.metrics.Add("principals.issued"); });
  return JsonReply(Json::Of(
      {{"principalId", issued.id}, {"name", issued.name}, {"role", issued.role}, {"token", issued.token}}));
}

/// Names that only the configuration gives tokens to.
Answer<> CheckNotBootstrap(std::string_view name) {
  if (name != plane::kAdminName && name != plane::kEnrollerName) return {};
  return plane::Conflict(fmt::format("principal \"{}\" gets its token from the plane's configuration", name));
}

Answer<storage::Principal> Named(Asked& asked) {
  BodyReader reader(*asked.body);
  const std::string name = reader.Text("name", 1, 128);
  WRIT_ANSWER(reader.Finish());
  WRIT_ANSWER(CheckNotBootstrap(name));
  auto known = WRIT_ANSWER(asked.core.store.FindPrincipal(name));
  if (!known) return plane::NotFound(fmt::format("unknown principal \"{}\"", name));
  return *std::move(known);
}

Answer<PlaneReply> RotatePrincipal(Asked& asked) {
  const auto known = WRIT_ANSWER(Named(asked));
  const std::string token = plane::MakeToken();
  WRIT_ANSWER((*asked.change)->ReplacePrincipalToken(known.name, plane::HashToken(token)));
  asked.change->AfterCommit([&core = asked.core] { core.metrics.Add("principals.rotated"); });
  return JsonReply(
      Json::Of({{"principalId", known.id}, {"name", known.name}, {"role", known.role}, {"token", token}}));
}

Answer<PlaneReply> RevokePrincipal(Asked& asked) {
  const auto known = WRIT_ANSWER(Named(asked));
  WRIT_ANSWER((*asked.change)->RevokePrincipal(known.name));
  asked.change->AfterCommit([&core = asked.core] { core.metrics.Add("principals.revoked"); });
  return JsonReply(Json::Of({{"name", known.name}, {"revoked", true}}));
}

Answer<PlaneReply> MakeEnrollToken(Asked& asked) {
  const auto token = WRIT_ANSWER(plane::MakeEnrollToken(*asked.change));
  return JsonReply(Json::Of({{"token", token.token}, {"expiresAt", FormatTimestamp(token.expires)}}));
}

constexpr Route kPrincipalRoutes[] = {
    {"GET", "/v1/principals", Capability::kPrincipalsManage, Body::kIgnored, Effect::kReads, ListPrincipals},
    {"POST", "/v1/principals", Capability::kPrincipalsManage, Body::kJson, Effect::kWrites, IssuePrincipal},
    {"POST", "/v1/principals/rotate", Capability::kPrincipalsManage, Body::kJson, Effect::kWrites, RotatePrincipal},
    {"POST", "/v1/principals/revoke", Capability::kPrincipalsManage, Body::kJson, Effect::kWrites, RevokePrincipal},
    {"POST", "/v1/enroll-tokens", Capability::kPrincipalsManage, Body::kIgnored, Effect::kWrites, MakeEnrollToken},
};

}  // namespace

std::span<const Route> PrincipalRoutes() { return kPrincipalRoutes; }

}  // namespace writ::api
