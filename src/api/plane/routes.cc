#include <algorithm>
#include <vector>

#include "api/plane/route.h"
#include "crypto/digest.h"

namespace writ::api {
namespace {

bool IsRunSegment(std::string_view text) {
  constexpr std::string_view kAllowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
  return !text.empty() && text.size() <= 128 && text.find_first_not_of(kAllowed) == text.npos;
}

/// Cuts the first segment off a path: "/v1/runs" gives "v1", leaves "/runs".
std::string_view NextSegment(std::string_view& path) {
  path.remove_prefix(1);
  const std::string_view segment = path.substr(0, path.find('/'));
  path.remove_prefix(segment.size());
  return segment;
}

}  // namespace

std::span<const Route> PlaneRoutes() {
  static const std::vector<Route> all = [] {
    std::vector<Route> joined;
    for (const auto table : {HealthRoutes(), PrincipalRoutes(), RunnerRoutes(), RunRoutes(), BlobRoutes(), ReportRoutes()})
      joined.insert(joined.end(), table.begin(), table.end());
    return joined;
  }();
  return all;
}

std::span<const Chore> PlaneChores() {
  static const std::vector<Chore> all = [] {
    std::vector<Chore> joined;
    for (const auto table : {KeepingChores(), ConsentChores()}) joined.insert(joined.end(), table.begin(), table.end());
    return joined;
  }();
  return all;
}

bool MatchPattern(std::string_view pattern, std::string_view path, RouteMatch& match) {
  match.count = 0;
  while (!pattern.empty() && !path.empty()) {
    if (path.front() != '/') return false;
    const std::string_view wanted = NextSegment(pattern), given = NextSegment(path);
    if (!wanted.starts_with('{')) {
      if (wanted != given) return false;
      continue;
    }
    if (wanted == "{hash}" ? !crypto::IsHash(given) : !IsRunSegment(given)) return false;
    match.parameters[match.count++] = given;
  }
  return pattern.empty() && path.empty();
}

std::optional<RouteMatch> MatchRoute(std::string_view method, std::string_view path) {
  RouteMatch match;
  for (const Route& route : PlaneRoutes()) {
    if (route.method != method || !MatchPattern(route.pattern, path, match)) continue;
    match.route = &route;
    return match;
  }
  return std::nullopt;
}

std::optional<std::string_view> Asked::Query(std::string_view name) const {
  const auto found = std::ranges::find(call.query, name, [](const auto& entry) { return std::string_view(entry.first); });
  if (found == call.query.end()) return std::nullopt;
  return found->second;
}

canon::Json* ParseBody(const PlaneCall& call, std::optional<Result<canon::Json>>& body) {
  body = canon::Parse(call.body, canon::Mode::kStrict);
  return *body ? &**body : nullptr;
}

PlaneReply JsonReply(const canon::Json& body) { return {.body = canon::Compact(body)}; }

PlaneReply ReplyFor(const plane::Refusal& refusal) {
  return {.status = refusal.status, .body = canon::Compact(ToJson(refusal)), .cause = refusal.cause};
}

PlaneReply BusyReply() { return ReplyFor({.status = 503, .error = "the plane is busy or stopping; try again"}); }

}  // namespace writ::api
