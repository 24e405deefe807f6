#include <charconv>

#include "api/plane/route.h"
#include "crypto/digest.h"
#include "plane/approvals.h"
#include "plane/retention.h"
#include "plane/run_intake.h"
#include "plane/run_views.h"

namespace writ::api {
namespace {

using canon::Json;
using plane::Capability;

constexpr std::size_t kIdempotencyKeyMax = 255;
constexpr std::size_t kRequestBytesMax = 24u << 20;
constexpr Millis kIdempotentFor = std::chrono::hours{24};

using Decoded = Answer<plane::Submission>;

std::shared_ptr<void> PrepareSubmission(const PlaneCall& call, std::optional<Result<Json>>& body) {
  const Json* json = ParseBody(call, body);
  if (json == nullptr) return nullptr;
  return std::make_shared<Decoded>(plane::DecodeSubmission(*json));
}

bool IsIdempotencyKey(std::string_view key) {
  return key.size() <= kIdempotencyKeyMax &&
         key.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~:+/=-") == key.npos;
}

Answer<PlaneReply> PostRun(Asked& asked) {
  // What is kept of it repeats the prompt and must stay readable under the bounds of canon::Parse.
  if (asked.call.body.size() > kRequestBytesMax) return plane::Plain(413, "body too large");
  auto& decoded = *static_cast<Decoded*>(asked.prepared.get());
  const plane::Submission& submission = WRIT_ANSWER(decoded);
  if (submission.dry_run) return JsonReply(WRIT_ANSWER(plane::PreviewRun(asked.core, *asked.principal, submission.request)));
  const std::string& key = asked.call.idempotency_key;
  const std::string scope = "runs:" + asked.principal->name;
  const std::string body_hash = crypto::Sha256Hex(asked.call.body);
  if (!key.empty()) {
    if (!IsIdempotencyKey(key)) return plane::BadRequest("Idempotency-Key must be at most 255 plain characters");
    const auto known = WRIT_ANSWER(asked.core.store.GetIdempotent(scope, key));
    if (known && known->expires > asked.change->now()) {
      if (known->body_hash != body_hash) return plane::Conflict("this Idempotency-Key was used for another request");
      return PlaneReply{.body = known->answer};
    }
  }
  const plane::Submitted submitted = WRIT_ANSWER(plane::SubmitRun(asked.core, *asked.change, *asked.principal, submission.request));
  // A reply, not a refusal: the denial is in the decision log and stays there.
  if (submitted.denied) return ReplyFor(*submitted.denied);
  PlaneReply reply = JsonReply(submitted.answer);
  if (!key.empty())
    WRIT_ANSWER((*asked.change)->PutIdempotent(scope, key, {body_hash, reply.body, asked.change->now() + kIdempotentFor}));
  return reply;
}

Answer<PlaneReply> PostApprove(Asked& asked) {
  const auto body = WRIT_ANSWER(plane::DecodeAnswerBody(*asked.body));
  return JsonReply(WRIT_ANSWER(plane::ApproveRun(asked.core, *asked.change, *asked.principal, asked.parameter(0), body)));
}

Answer<PlaneReply> PostDeny(Asked& asked) {
  const auto body = WRIT_ANSWER(plane::DecodeAnswerBody(*asked.body));
  return JsonReply(WRIT_ANSWER(plane::DenyRun(asked.core, *asked.change, *asked.principal, asked.parameter(0), body)));
}

Answer<PlaneReply> PostCancel(Asked& asked) {
  const auto body = WRIT_ANSWER(plane::DecodeAnswerBody(*asked.body));
  return JsonReply(WRIT_ANSWER(plane::CancelRun(asked.core, *asked.change, *asked.principal, asked.parameter(0), body)));
}

/// A query parameter. Errors: 400 when it is no whole number.
Answer<std::uint64_t> NumberIn(const Asked& asked, std::string_view name, std::uint64_t otherwise) {
  const auto text = asked.Query(name);
  if (!text) return otherwise;
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error != std::errc() || end != text->data() + text->size())
    return plane::InvalidRequest({fmt::format("{}: must be a whole number", name)});
  return number;
}

/// The one run whose id begins so, as a list. Ambiguous beginnings are refused, naming candidates.
Answer<PlaneReply> FindRun(Asked& asked, std::string_view prefix) {
  const auto id = asked.core.store.ResolveRun(prefix);
  if (!id && id.error().code == Code::kInvalid) return plane::InvalidRequest({fmt::format("prefix: {}", id.error().what)});
  if (!id && id.error().code != Code::kNotFound) return std::unexpected(plane::FromError(id.error()));
  return JsonReply(WRIT_ANSWER(plane::ListRun(asked.core, id ? std::optional<std::string>(*id) : std::nullopt)));
}

Answer<PlaneReply> GetRuns(Asked& asked) {
  if (const auto prefix = asked.Query("prefix")) return FindRun(asked, *prefix);
  const auto page = WRIT_ANSWER(plane::DecodePage(asked.Query("limit"), asked.Query("cursor"), asked.Query("status")));
  return JsonReply(WRIT_ANSWER(plane::ListRuns(asked.core, page)));
}

Answer<PlaneReply> GetRun(Asked& asked) {
  const std::uint64_t from = WRIT_ANSWER(NumberIn(asked, "from", 0));
  const std::uint64_t limit = WRIT_ANSWER(NumberIn(asked, "limit", plane::kEventsMax));
  const std::uint64_t wait_ms = WRIT_ANSWER(NumberIn(asked, "waitMs", 0));
  if (wait_ms > kWaitMsMax) return plane::InvalidRequest({fmt::format("waitMs: must be at most {}", kWaitMsMax)});
  if (wait_ms > 0) {
    const auto row = asked.core.store.GetRun(asked.parameter(0));
    if (row && !storage::IsTerminal(row->status))
      asked.waiting = {fmt::format("/{}", asked.parameter(0)), asked.core.clock.Mono() + Millis{static_cast<std::int64_t>(wait_ms)}};
  }
  return JsonReply(WRIT_ANSWER(plane::ViewRun(asked.core, asked.parameter(0), from, limit)));
}

Answer<PlaneReply> GetApprovals(Asked& asked) {
  const auto page = WRIT_ANSWER(plane::DecodePage(asked.Query("limit"), asked.Query("cursor"), std::nullopt));
  return JsonReply(WRIT_ANSWER(plane::ListApprovals(asked.core, page, asked.core.clock.Now())));
}

Answer<PlaneReply> GetApproval(Asked& asked) {
  return JsonReply(WRIT_ANSWER(plane::ApprovalOf(asked.core, asked.parameter(0), asked.core.clock.Now())));
}

Answer<PlaneReply> GetExport(Asked& asked) {
  const std::uint64_t limit = WRIT_ANSWER(NumberIn(asked, "limit", plane::kExportLinesMax));
  auto part = WRIT_ANSWER(
      plane::ExportFrom(asked.core, asked.Query("since").value_or(""), asked.Query("cursor").value_or(""), limit));
  PlaneReply reply{.content_type = "application/x-ndjson", .body = std::move(part.lines)};
  if (part.next) reply.headers.emplace_back(kNextCursorHeader, *part.next);
  return reply;
}

Answer<PlaneReply> GetPolicy(Asked& asked) {
  return JsonReply(Json::Of({{"policy", asked.core.policy.json}, {"policyHash", asked.core.policy.hash}}));
}

Answer<PlaneReply> GetMetrics(Asked& asked) {
  Json metrics = Json::MakeObject();
  for (const auto& [name, count] : asked.core.metrics.all()) metrics.Set(name, count);
  return JsonReply(Json::Of({{"metrics", std::move(metrics)}}));
}

constexpr Route kRunRoutes[] = {
    {"GET", "/v1/runs", Capability::kRunsRead, Body::kIgnored, Effect::kReads, GetRuns},
    {"POST", "/v1/runs", Capability::kRunsCreate, Body::kJson, Effect::kWrites, PostRun, false, PrepareSubmission},
    {"GET", "/v1/runs/{run}", Capability::kRunsRead, Body::kIgnored, Effect::kReads, GetRun, /*may_wait=*/true},
    {"POST", "/v1/runs/{run}/approve", Capability::kRunsApprove, Body::kJson, Effect::kWrites, PostApprove},
    {"POST", "/v1/runs/{run}/deny", Capability::kRunsApprove, Body::kJson, Effect::kWrites, PostDeny},
    {"POST", "/v1/runs/{run}/cancel", Capability::kRunsCancel, Body::kJson, Effect::kWrites, PostCancel},
    {"GET", "/v1/runs/{run}/approval", Capability::kRunsRead, Body::kIgnored, Effect::kReads, GetApproval},
    {"GET", "/v1/approvals", Capability::kRunsRead, Body::kIgnored, Effect::kReads, GetApprovals},
    {"GET", "/v1/export", Capability::kExportRead, Body::kIgnored, Effect::kReads, GetExport},
    {"GET", "/v1/policy", Capability::kPolicyRead, Body::kIgnored, Effect::kReads, GetPolicy},
    {"GET", "/v1/metrics", Capability::kPolicyRead, Body::kIgnored, Effect::kReads, GetMetrics},
};

constexpr Chore kConsentChores[] = {{"expire-questions", plane::ExpireQuestions}, {"retention", plane::Retain}};

}  // namespace

std::span<const Route> RunRoutes() { return kRunRoutes; }
std::span<const Chore> ConsentChores() { return kConsentChores; }

}  // namespace writ::api
