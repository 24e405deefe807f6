#include <algorithm>

#include "api/plane/body_reader.h"
#include "api/plane/route.h"
#include "plane/carried_blobs.h"
#include "plane/claims.h"
#include "plane/enrol.h"

namespace writ::api {
namespace {

using canon::Json;
using plane::Capability;

constexpr Millis kHeartbeat{2000};  ///< at most: a runner hears in its answer that its run is to stop
constexpr std::size_t kOfferListMax = 32;
constexpr std::size_t kHostTextMax = 256;

Answer<PlaneReply> Enroll(Asked& asked) {
  BodyReader reader(*asked.body);
  plane::EnrolRequest request;
  request.token = reader.Text("enrollToken", 1, 4096);
  request.public_pem = reader.Text("publicKeyPem", 1, plane::kPublicKeyBytesMax);
  request.pool = reader.Text("pool", 0, 4096);
  if (const Json* writ = reader.Extension()) {
    auto labels = plane::ReadLabels(writ->Find("labels"));
    if (!labels) reader.Issue("writ.labels: " + labels.error().what);
    else request.labels = *std::move(labels);
  }
  WRIT_ANSWER(reader.Finish());
  plane::Core& core = asked.core;
  if (core.lockout.UnknownLocked(asked.call.address, asked.change->mono()))
    return plane::Plain(429, "too many authentication failures; backing off");
  auto enrolled = plane::EnrolRunner(core, *asked.change, request);
  if (!enrolled) {
    if (enrolled.error().code == "bad_request") {
      core.lockout.Failed(asked.call.address, plane::Lockout::kUnknown, asked.change->mono());
      core.metrics.Add("enroll.rejected");
    }
    return std::unexpected(std::move(enrolled).error());
  }
  asked.caller = enrolled->runner_id;
  asked.change->AfterCommit([&core] { core.metrics.Add("enroll.accepted"); });
  return JsonReply(Json::Of({{"runnerId", enrolled->runner_id},
                             {"runnerToken", enrolled->runner_token},
                             {"writ", Json::Of({{"v", 1}, {"planePublicKeyPem", core.keys.plane_pem}})}}));
}

Answer<PlaneReply> ListRunners(Asked& asked) {
  Json rows = Json::MakeArray();
  for (const auto& runner : WRIT_ANSWER(asked.core.store.Runners())) {
    Json row = Json::Of({{"runnerId", runner.id},
                         {"pool", runner.pool},
                         {"keyId", runner.key_id},
                         {"enrolledAt", FormatTimestamp(runner.enrolled)}});
    const auto labels = canon::Parse(runner.labels, canon::Mode::kWire);
    if (labels && labels->is_object() && !labels->object().empty())
      row.Set("writ", Json::Of({{"v", 1}, {"labels", *labels}}));
    rows.Append(std::move(row));
  }
  return JsonReply(Json::Of({{"runners", std::move(rows)}}));
}

std::vector<std::string> Names(BodyReader& reader, const Json& writ, std::string_view name) {
  std::vector<std::string> names;
  const Json* list = writ.Find(name);
  if (list == nullptr) return names;
  const bool fine = list->is_array() && list->array().size() <= kOfferListMax &&
                    std::ranges::all_of(list->array(), [](const Json& one) {
                      return one.is_string() && !one.string().empty() && one.string().size() <= 64;
                    });
  if (!fine) {
    reader.Issue(fmt::format("writ.{}: must be at most {} names of at most 64 characters", name, kOfferListMax));
    return names;
  }
  for (const Json& one : list->array()) names.push_back(one.string());
  return names;
}

/// What a runner says of its host: {kernel, version, probe}, other members are dropped.
Json HostOf(BodyReader& reader, const Json& writ) {
  Json kept = Json::MakeObject();
  const Json* host = writ.Find("host");
  if (host == nullptr) return kept;
  for (const auto* name : {"kernel", "version", "probe"}) {
    const Json* value = host->Find(name);
    if (value == nullptr) continue;
    if (!value->is_string() || value->string().size() > kHostTextMax)
      reader.Issue(fmt::format("writ.host.{}: must be a string of at most {} bytes", name, kHostTextMax));
    else
      kept.Set(name, *value);
  }
  return kept;
}

PlaneReply Nothing() { return JsonReply(Json::Of({{"empty", true}})); }

std::string ClaimText(const plane::ClaimedRun& claimed, bool extension) {
  // The contract goes out byte for byte as it was signed and stored.
  std::string text = fmt::format("{{\"runId\":\"{}\",\"contract\":{},\"claimToken\":\"{}\",\"events\":[", claimed.run_id,
                                 claimed.contract, claimed.claim_token);
  for (const auto& event : claimed.events) {
    if (&event != &claimed.events.front()) text += ',';
    text += event;
  }
  text += "],\"secrets\":";
  Json secrets = Json::MakeArray();
  for (const auto& secret : claimed.secrets) {
    Json one = Json::Of({{"name", secret.name}, {"value", secret.value.text()}});
    if (!secret.host.empty()) one.Set("writ", Json::Of({{"v", 1}, {"host", secret.host}}));
    secrets.Append(std::move(one));
  }
  text += canon::Compact(secrets);
  if (extension)
    text += fmt::format(",\"writ\":{{\"v\":1,\"leaseMs\":{},\"heartbeatMs\":{},\"attempt\":{},\"artifactBytes\":{}}}", claimed.lease.count(),
                        std::min<std::int64_t>(claimed.lease.count() / 3, kHeartbeat.count()), claimed.attempt, plane::kCarriedBytesMax);
  return text += '}';
}

Answer<PlaneReply> Claim(Asked& asked) {
  BodyReader reader(*asked.body);
  const std::string token = reader.Text("runnerToken", 1, 4096);
  const std::string pool = reader.Text("pool", 1, 4096);
  const auto wait_ms = reader.OptionalInteger("waitMs", kWaitMsMax);
  plane::RunnerOffer offer;
  offer.legacy_allowed = asked.core.policy.legacy_runners;
  Json host;
  if (const Json* writ = reader.Extension()) {
    offer.extension = true;
    offer.tiers = Names(reader, *writ, "tiers");
    offer.agents = Names(reader, *writ, "agents");
    const Json* hosts = writ->Find("secretHosts");
    offer.secret_hosts = hosts != nullptr && hosts->is_bool() && hosts->boolean();
    auto labels = plane::ReadLabels(writ->Find("labels"));
    if (!labels) reader.Issue("writ.labels: " + labels.error().what);
    else offer.labels = *std::move(labels);
    host = HostOf(reader, *writ);
  }
  WRIT_ANSWER(reader.Finish());
  plane::Core& core = asked.core;
  const auto runner = WRIT_ANSWER(plane::RunnerOfToken(core, token, pool));
  asked.caller = runner.id;
  // What it was enrolled with holds unless it says otherwise now.
  if (offer.labels.empty()) {
    const auto enrolled = canon::Parse(runner.labels, canon::Mode::kWire);
    if (enrolled)
      if (auto labels = plane::ReadLabels(&*enrolled)) offer.labels = *std::move(labels);
  }
  core.offers[pool][runner.id] = offer;
  if (core.draining) return Nothing();
  const auto claimed = WRIT_ANSWER(plane::ClaimNext(core, *asked.change, runner, offer, host));
  if (claimed) return PlaneReply{.body = ClaimText(*claimed, offer.extension)};
  if (wait_ms && *wait_ms > 0)
    asked.waiting = {pool, asked.change->mono() + Millis{static_cast<std::int64_t>(*wait_ms)},
                     [&core, pool, offer] { return core.queue.HasFor(pool, offer, core.clock.Now()); }};
  return Nothing();
}

/// A runner that is about to stop has its waiting claims answered, so that none is given a run in the moment it hangs up.
Answer<PlaneReply> EndClaims(Asked& asked) {
  BodyReader reader(*asked.body);
  const std::string token = reader.Text("runnerToken", 1, 4096);
  const std::string pool = reader.Text("pool", 1, 4096);
  WRIT_ANSWER(reader.Finish());
  const auto runner = WRIT_ANSWER(plane::RunnerOfToken(asked.core, token, pool));
  asked.caller = runner.id;
  asked.core.waits_no_more(runner.id);
  return JsonReply(Json::Of({{"ok", true}}));
}

constexpr Route kRunnerRoutes[] = {
    {"POST", "/v1/runners/enroll", Capability::kNone, Body::kJson, Effect::kWrites, Enroll},
    {"GET", "/v1/runners", Capability::kRunnersRead, Body::kIgnored, Effect::kReads, ListRunners},
    {"POST", "/v1/claims", Capability::kNone, Body::kJson, Effect::kWrites, Claim, /*may_wait=*/true},
    {"POST", "/v1/claims/end", Capability::kNone, Body::kJson, Effect::kReads, EndClaims},
};

}  // namespace

std::span<const Route> RunnerRoutes() { return kRunnerRoutes; }

}  // namespace writ::api
