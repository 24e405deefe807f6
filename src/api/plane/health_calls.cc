#include "api/plane/gate.h"
#include "api/plane/route.h"
#include "contract/names.h"

namespace writ::api {
namespace {

using canon::Json;
using plane::Capability;

Answer<PlaneReply> Health(Asked&) {
  return JsonReply(Json::Of({{"ok", true}, {"service", WRIT_DIALECT "-plane"}}));
}

Answer<PlaneReply> Ready(Asked& asked) {
  const bool readable = asked.core.store.GetDecisionHead(asked.core.keys.decision_genesis).has_value();
  const bool ready = readable && asked.core.keys.plane.public_key().Pem() == asked.core.keys.plane_pem;
  PlaneReply reply = JsonReply(Json::Of({{"ready", ready}}));
  if (!ready) reply.status = 503;
  return reply;
}

/// Prometheus names have no dots: `runs.completed.failed` is writ_plane_runs_completed_failed_total.
std::string MachineText(plane::Core& core) {
  std::string text;
  const auto gauge = [&](std::string_view name, std::string_view help, std::size_t value) {
    text += fmt::format("# HELP writ_plane_{0} {1}\n# TYPE writ_plane_{0} gauge\nwrit_plane_{0} {2}\n", name, help, value);
  };
  gauge("runs_waiting", "Runs that no runner has claimed yet.", core.queue.size());
  gauge("runs_held", "Runs that a runner holds.", core.leases.size());
  for (const auto& [name, value] : core.metrics.all()) {
    std::string plain = name;
    for (char& c : plain)
      if ((c < 'a' || c > 'z') && (c < '0' || c > '9')) c = '_';
    text += fmt::format("# TYPE writ_plane_{0}_total counter\nwrit_plane_{0}_total {1}\n", plain, value);
  }
  return text;
}

bool IsLoopback(std::string_view address) {
  return address == "::1" || address.starts_with("127.") || address.starts_with("::ffff:127.");
}

Answer<PlaneReply> MachineMetrics(Asked& asked) {
  if (!IsLoopback(asked.call.address))
    WRIT_ANSWER(Admit(asked.core, asked.call.authorization, asked.call.address, Capability::kPolicyRead));
  return PlaneReply{.content_type = "text/plain; version=0.0.4; charset=utf-8", .body = MachineText(asked.core)};
}

Answer<PlaneReply> ToPanel(Asked&) {
  return PlaneReply{.status = 302, .content_type = "", .headers = {{"location", "/ui/"}}};
}

Answer<PlaneReply> Panel(Asked&) {
  return PlaneReply{.content_type = "text/html; charset=utf-8",
                    .body = "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Writ</title></head>"
                            "<body><h1>Writ plane</h1><p>This plane is used with the <code>writ</code> command and over "
                            "its HTTP API.</p></body></html>\n",
                    .headers = {{"cache-control", "no-store"},
                                {"content-security-policy", "default-src 'none'; frame-ancestors 'none'"},
                                {"x-content-type-options", "nosniff"}}};
}

constexpr Route kHealthRoutes[] = {
    {"GET", "/", Capability::kNone, Body::kIgnored, Effect::kReads, ToPanel},
    {"GET", "/ui", Capability::kNone, Body::kIgnored, Effect::kReads, Panel},
    {"GET", "/ui/", Capability::kNone, Body::kIgnored, Effect::kReads, Panel},
    {"GET", "/ui/index.html", Capability::kNone, Body::kIgnored, Effect::kReads, Panel},
    {"GET", "/v1/health", Capability::kNone, Body::kIgnored, Effect::kReads, Health},
    {"GET", "/healthz", Capability::kNone, Body::kIgnored, Effect::kReads, Health},
    {"GET", "/v1/ready", Capability::kNone, Body::kIgnored, Effect::kReads, Ready},
    {"GET", "/readyz", Capability::kNone, Body::kIgnored, Effect::kReads, Ready},
    {"GET", "/metrics", Capability::kNone, Body::kIgnored, Effect::kReads, MachineMetrics},
};

}  // namespace

std::span<const Route> HealthRoutes() { return kHealthRoutes; }

}  // namespace writ::api
