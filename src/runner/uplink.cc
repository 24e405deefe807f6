#include "runner/uplink.h"

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "crypto/digest.h"

namespace writ::runner {
namespace {

using canon::Json;

constexpr std::size_t kEventsPerPost = 1000;
constexpr std::size_t kBytesPerPost = 16u << 20;
constexpr int kPiecesPerTick = 16;  // of live output; more waits, or is left out
constexpr Millis kBlobTimeout{10 * 60'000};
constexpr std::uint64_t kProbesMax = 1000;

}  // namespace

Uplink::Uplink(Lines& lines, Lines::Line line, LocalRuns::Lease store, LocalRuns& local, const Claim& claim, std::uint64_t posted,
               LiveFeed& feed, const UplinkTimes& times)
    : heart_(lines, local, claim, times),
      line_(std::move(line)),
      store_(std::move(store)),
      feed_(feed),
      run_id_(claim.run_id),
      path_("/v1/runs/" + remote::PathPart(claim.run_id)),
      extended_(claim.lease.has_value()),
      times_(times),
      claim_life_(claim.lease ? claim.lease->life : times.plain_life),
      carried_bytes_max_(claim.lease ? claim.lease->artifact_bytes : 0),
      posted_(posted),
      live_(extended_) {}

Uplink::~Uplink() { Stop(); }

void Uplink::Start() {
  heart_.Start();
  keeper_ = std::jthread([this](const std::stop_token& stop) { Keep(stop); });
}

/// The thread looks at its stop before each post, under the mutex that it holds during calls: once that is free nothing
/// more is posted, whenever the thread itself gets to its end.
void Uplink::StopPosting() {
  keeper_.request_stop();
  const std::lock_guard hold(mutex_);
}

void Uplink::Stop() {
  keeper_.request_stop();
  if (keeper_.joinable()) keeper_.join();
  heart_.Stop();
}

Result<> Uplink::PostEvents() {
  for (;;) {
    const auto texts = WRIT_TRY("read events", store_->Events(run_id_, posted_, kEventsPerPost));
    if (texts.empty()) return {};
    std::string body = fmt::format("{{\"claimToken\":{},\"events\":[", canon::Compact(Json(heart_.token())));
    std::size_t count = 0;
    for (const auto& text : texts) {
      if (count > 0 && body.size() + text.size() > kBytesPerPost) break;
      body.append(count == 0 ? "" : ",").append(text);
      ++count;
    }
    body += "]}";
    const MonoTime sent = std::chrono::steady_clock::now();
    const auto answer = line_->PostText(path_ + "/events", std::move(body), kCallTimeout);
    if (!answer) {
      const unsigned status = line_->last_answer().status;
      if (status == 0) unsure_ = std::max<std::uint64_t>(unsure_, count);
      if (status == 400 && unsure_ > 0) {  // the original protocol refuses what it has already
        posted_ += std::exchange(unsure_, 0);
        continue;
      }
      return std::unexpected(Error(answer.error()).Doing("post events"));
    }
    posted_ += count;
    unsure_ = 0;
    server_errors_ = 0;
    heart_.Heard(*answer, sent);
  }
}

Result<std::string> Uplink::LastEvents() {
  if (extended_ && unsure_ == 0) {
    const auto texts = WRIT_TRY("read events", store_->Events(run_id_, posted_, kEventsPerPost));
    std::string events = ",\"events\":[";
    for (const auto& text : texts) events.append(&text == &texts.front() ? "" : ",").append(text);
    if (texts.size() < kEventsPerPost && events.size() < kBytesPerPost) return events + "]";
  }
  WRIT_TRY("complete", PostEvents());
  return std::string();
}

Result<> Uplink::PostLive() {
  for (int pieces = 0; pieces < kPiecesPerTick; ++pieces) {
    const auto piece = live_ ? feed_.Take() : std::nullopt;
    if (!piece) break;
    const Json body = Json::Of({{"claimToken", heart_.token()},
                                {"offset", piece->offset},
                                {"stream", piece->stream == isolation::Stream::kStdout ? "stdout" : "stderr"},
                                {"data", Base64Encode(AsBytes(piece->bytes))}});
    auto sent = line_->Post(path_ + "/log", body, kCallTimeout);
    if (sent) continue;
    if (!IsTransport(sent.error(), line_->last_answer().status)) live_ = false;  // for who looks on; the log is kept anyhow
    return std::unexpected(std::move(sent).error().Doing("post output"));
  }
  return {};
}

/// What a failed post means for the run.
void Uplink::Judge(const Result<>& posted) {
  if (posted) return;
  const unsigned status = line_->last_answer().status;
  const bool gone = IsTransport(posted.error(), status);
  if (gone && status >= 500) ++server_errors_;
  if (!gone || server_errors_ >= kServerErrorsMax)
    heart_.Refused(fmt::format("the plane does not take the run's events: {}", posted.error().what));
}

void Uplink::Keep(const std::stop_token& stop) {
  std::unique_lock hold(mutex_);
  wake_.wait_for(hold, stop, kFirstPost, [] { return false; });
  Millis backoff{0};
  while (!stop.stop_requested()) {
    Result<> said = PostEvents();
    Judge(said);
    if (said) said = PostLive();
    backoff = said ? Millis{0} : std::clamp(backoff * 2, times_.first_backoff, Heartbeat::kBackoffMax);
    wake_.wait_for(hold, stop, std::max(backoff, kTick), [] { return false; });
  }
}

/// Repeats a call while the plane cannot be reached and the claim lasts; not longer than a claim lasts unrenewed, for a plane
/// that renews it and stores nothing would keep the runner for ever. Precondition: mutex_ is held by nobody else for
/// long; it is let go between attempts.
template <class Call>
auto Uplink::Insist(Call call) -> decltype(call()) {
  std::unique_lock hold(mutex_);
  std::optional<MonoTime> patience;
  for (Millis backoff = times_.first_backoff;; backoff = std::min(backoff * 2, Heartbeat::kBackoffMax)) {
    if (!heart_.Alive()) return Fail(Code::kDeadline, "the claim ended: the plane could not be reached in time");
    auto result = call();
    if (result) return result;
    if (!patience) patience = std::chrono::steady_clock::now() + claim_life_;
    if (!IsTransport(result.error(), line_->last_answer().status))
      return std::unexpected(Error{Code::kDenied, std::move(result).error().what});
    if (std::chrono::steady_clock::now() + backoff >= std::min(heart_.ends(), *patience))
      return std::unexpected(Error{Code::kDeadline, std::move(result).error().Doing("the claim ended").what});
    wake_.wait_for(hold, backoff, [] { return false; });
  }
}

Result<> Uplink::FlushFromUnknown() {
  for (std::uint64_t tries = 0;; ++tries) {
    auto flushed = Insist([&] { return PostEvents(); });
    const std::lock_guard hold(mutex_);
    if (flushed || line_->last_answer().status != 400 || tries >= kProbesMax) return flushed;
    const auto next = WRIT_TRY("read events", store_->Events(run_id_, posted_, 1));
    if (next.empty()) return flushed;
    ++posted_;
  }
}

Result<> Uplink::PutBlob(ByteView bytes) {
  return Insist([&]() -> Result<> {
    [[maybe_unused]] const auto hash = WRIT_TRY("upload", line_->PutBlob(bytes, heart_.token(), kBlobTimeout));
    return {};
  });
}

Result<> Uplink::PutSmallBlob(std::string bytes) {
  {
    const std::lock_guard hold(mutex_);
    if (bytes.size() <= kCarriedBytesEach && carried_count_ < kCarriedMax && carried_bytes_ + bytes.size() <= carried_bytes_max_) {
      carried_.append(carried_count_ == 0 ? "\"" : ",\"").append(Base64Encode(AsBytes(bytes))).append("\"");
      carried_bytes_ += bytes.size();
      ++carried_count_;
      return {};
    }
  }
  return PutBlob(AsBytes(bytes));
}

std::string Uplink::Carried() {
  const std::lock_guard hold(mutex_);
  return carried_;
}

void Uplink::CarryAgain(std::string carried) {
  const std::lock_guard hold(mutex_);
  carried_ = std::move(carried);
  carried_count_ = carried_.empty() ? 0 : kCarriedMax;  // no more fit
}

Result<std::optional<Json>> Uplink::Complete(const Json& receipt) {
  bool unsure = false;  // an earlier attempt may have arrived
  std::string text = canon::Compact(receipt);
  {
    const std::lock_guard hold(mutex_);
    if (carried_count_ > 0) text += fmt::format(",\"artifacts\":[{}]", carried_);
  }
  return Insist([&]() -> Result<std::optional<Json>> {
    const std::string events = WRIT_TRY("complete", LastEvents());
    auto answer = line_->PostText(path_ + "/complete",
                                  fmt::format("{{\"claimToken\":{},\"receipt\":{}{}}}", canon::Compact(Json(heart_.token())), text, events), kCallTimeout);
    if (!answer) {
      const unsigned status = line_->last_answer().status;
      if (status == 409 && unsure) return std::optional<Json>();
      unsure = unsure || status == 0;
      return std::unexpected(std::move(answer).error().Doing("complete"));
    }
    const Json* signed_receipt = answer->Find("receipt");
    if (signed_receipt == nullptr || !signed_receipt->is_object()) return Fail(Code::kCorrupt, "complete: the plane answered without a receipt");
    return std::optional<Json>(*signed_receipt);
  });
}

}  // namespace writ::runner
