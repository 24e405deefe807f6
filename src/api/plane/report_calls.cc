#include "api/plane/body_reader.h"
#include "api/plane/live_logs.h"
#include "api/plane/route.h"
#include "base/bytes.h"
#include "plane/completion.h"
#include "plane/event_intake.h"
#include "plane/plain_events.h"

namespace writ::api {
namespace {

using canon::Json;
using plane::Capability;

/// A claim token, judged for the run in the path.
Answer<plane::Reporter> Judged(Asked& asked, std::string_view token) {
  auto reporter = WRIT_ANSWER(plane::CheckReporter(asked.core, token, asked.parameter(0), asked.change->now()));
  asked.caller = reporter.token.runner_id;
  return reporter;
}

Answer<plane::Reporter> ReporterOf(Asked& asked) {
  BodyReader reader(*asked.body);
  const std::string token = reader.Text("claimToken", 0, plane::kClaimTokenBytesMax);
  WRIT_ANSWER(reader.Finish());
  return Judged(asked, token);
}

/// A post in the form in which runners write it has no values, everything else has.
std::shared_ptr<void> PrepareEvents(const PlaneCall& call, std::optional<Result<Json>>& body) {
  if (auto plain = plane::ReadPlainPost(call.body)) return std::make_shared<plane::PlainPost>(*std::move(plain));
  Json* json = ParseBody(call, body);
  if (json == nullptr) return nullptr;
  // Find gives a const view of an object that is ours.
  Json* events = json->is_object() ? const_cast<Json*>(json->Find("events")) : nullptr;
  return std::make_shared<plane::PlainPost>(plane::PlainPost{"", plane::ReadEventBatch(events)});
}

Answer<PlaneReply> PostEvents(Asked& asked) {
  const auto& post = *static_cast<const plane::PlainPost*>(asked.prepared.get());
  const auto reporter = asked.body == nullptr ? WRIT_ANSWER(Judged(asked, post.claim_token)) : WRIT_ANSWER(ReporterOf(asked));
  plane::KeptRun* run = WRIT_ANSWER(asked.core.chains.Open(*asked.change, asked.parameter(0)));
  WRIT_ANSWER(plane::CheckTakesEvents(*run));
  WRIT_ANSWER(plane::TakeEvents(asked.core, *asked.change, *run, post.batch));
  WRIT_ANSWER(plane::Renew(asked.core, *asked.change, run->id, reporter));
  return PlaneReply{.body = R"({"ok":true})"};
}

Answer<PlaneReply> PostHeartbeat(Asked& asked) {
  const auto reporter = WRIT_ANSWER(ReporterOf(asked));
  const std::string token =
      WRIT_ANSWER(plane::Heartbeat(asked.core, *asked.change, asked.parameter(0), reporter));
  Json writ = Json::Of({{"v", 1}, {"leaseMs", asked.core.settings.lease.count()}});
  writ.Set("stop", reporter.held->stop ? Json(*reporter.held->stop) : Json(false));
  return JsonReply(Json::Of({{"claimToken", token}, {"writ", std::move(writ)}}));
}

Answer<PlaneReply> PostLog(Asked& asked) {
  const auto reporter = WRIT_ANSWER(ReporterOf(asked));
  if (reporter.held == nullptr) return plane::Conflict(fmt::format("run {} has ended", asked.parameter(0)));
  BodyReader reader(*asked.body);
  const std::string stream = reader.Text("stream", 1, 16);
  if (stream != "stdout" && stream != "stderr") reader.Issue("stream: must be stdout or stderr");
  const auto offset = reader.OptionalInteger("offset", (std::uint64_t{1} << 53) - 1);
  if (!offset) reader.Issue("offset: must be a whole number");
  const std::string data = reader.Text("data", 0, 2 * kLiveLogBytesMax);
  const auto bytes = Base64DecodeLenient(data);
  if (!bytes) reader.Issue("data: must be base64");
  WRIT_ANSWER(reader.Finish());
  asked.logs->Append(asked.parameter(0), stream, *offset, *bytes);
  return PlaneReply{.body = R"({"ok":true})"};
}

/// What a runner that knows `writ` may bring along with its receipt.
struct BroughtAlong {
  std::optional<plane::EventBatch> events;
  Answer<std::vector<plane::CarriedBlob>> blobs;
};

/// The last events and small results come in the request that ends a run: requests and syncs less at the end of each.
std::shared_ptr<void> PrepareCompletion(const PlaneCall& call, std::optional<Result<Json>>& body) {
  Json* json = ParseBody(call, body);
  if (json == nullptr) return nullptr;
  auto along = std::make_shared<BroughtAlong>(BroughtAlong{std::nullopt, plane::ReadCarriedBlobs(json->Find("artifacts"))});
  Json* events = const_cast<Json*>(json->Find("events"));
  if (events != nullptr) along->events = plane::ReadEventBatch(events);
  return along;
}

Answer<PlaneReply> PostCompletion(Asked& asked) {
  const auto reporter = WRIT_ANSWER(ReporterOf(asked));
  std::span<const plane::CarriedBlob> carried;
  if (const auto* along = static_cast<const BroughtAlong*>(asked.prepared.get())) {
    if (!along->blobs) return std::unexpected(along->blobs.error());
    carried = *along->blobs;
    if (along->events) {
      plane::KeptRun* run = WRIT_ANSWER(asked.core.chains.Open(*asked.change, asked.parameter(0)));
      WRIT_ANSWER(plane::CheckTakesEvents(*run));
      WRIT_ANSWER(plane::TakeEvents(asked.core, *asked.change, *run, *along->events));
    }
  }
  const Json receipt = WRIT_ANSWER(plane::Complete(asked.core, *asked.change, asked.parameter(0), reporter,
                                                   asked.body->Find("receipt"), carried));
  return JsonReply(Json::Of({{"receipt", receipt}}));
}

Answer<PlaneReply> GetBundle(Asked& asked) {
  std::string text = WRIT_ANSWER(plane::BundleText(asked.core, asked.parameter(0)));
  return PlaneReply{.body = std::move(text)};
}

constexpr Route kReportRoutes[] = {
    {"POST", "/v1/runs/{run}/events", Capability::kNone, Body::kJson, Effect::kWrites, PostEvents, false, PrepareEvents, true},
    {"POST", "/v1/runs/{run}/heartbeat", Capability::kNone, Body::kJson, Effect::kWrites, PostHeartbeat, false, nullptr, true},
    {"POST", "/v1/runs/{run}/log", Capability::kNone, Body::kJson, Effect::kWrites, PostLog, false, nullptr, true},
    {"POST", "/v1/runs/{run}/complete", Capability::kNone, Body::kJson, Effect::kWrites, PostCompletion, false, PrepareCompletion, true},
    {"GET", "/v1/runs/{run}/bundle", Capability::kRunsRead, Body::kIgnored, Effect::kReads, GetBundle},
};

}  // namespace

std::span<const Route> ReportRoutes() { return kReportRoutes; }

}  // namespace writ::api
