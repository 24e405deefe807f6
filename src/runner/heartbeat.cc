#include "runner/heartbeat.h"

#include <algorithm>
#include <utility>

#include "base/escape.h"
#include "remote/plane_connection.h"

namespace writ::runner {
namespace {

using canon::Json;
using std::chrono::steady_clock;

constexpr std::string_view kClaimEnded = "the claim ended: the plane could not be reached in time";
constexpr Millis kMargin{500};  ///< a claim counts as ended this long before it does, so that no answer comes late

}  // namespace

bool IsTransport(const Error& error, unsigned status) {
  if (status == 429 || status == 0) return error.code == Code::kUnavailable || error.code == Code::kDeadline || error.code == Code::kExhausted;
  return status >= 500;
}

Heartbeat::Heartbeat(Lines& lines, LocalRuns& local, const Claim& claim, const UplinkTimes& times)
    : lines_(lines),
      local_(local),
      run_id_(claim.run_id),
      path_("/v1/runs/" + remote::PathPart(claim.run_id) + "/heartbeat"),
      lease_(claim.lease),
      first_backoff_(times.first_backoff),
      token_(claim.token) {
  ends_ = claim.asked + (lease_ ? lease_->life : times.plain_life);
  next_beat_ = lease_ ? claim.asked + lease_->heartbeat : MonoTime::max();
}

Heartbeat::~Heartbeat() { Stop(); }

Result<> Heartbeat::Confirm() {
  std::unique_lock hold(mutex_);
  if (steady_clock::now() < next_beat_) return {};
  return Beat(hold);
}

void Heartbeat::Start() {
  keeper_ = std::jthread([this](const std::stop_token& stop) { Keep(stop); });
}

void Heartbeat::Stop() {
  if (!keeper_.joinable()) return;
  keeper_.request_stop();
  {
    const std::lock_guard hold(mutex_);
    if (line_) (*line_)->Cancel();
  }
  keeper_.join();
}

void Heartbeat::Heard(const Json& answer, MonoTime sent) {
  if (!lease_) return;
  std::optional<std::string> renewed;
  {
    const std::lock_guard hold(mutex_);
    ends_ = std::max(ends_, sent + lease_->life);
    next_beat_ = sent + lease_->heartbeat;
    if (const auto* token = answer.FindString("claimToken"); token != nullptr && !token->empty() && *token != token_)
      renewed = token_ = *token;
    const Json* writ = answer.Find("writ");
    const Json* stop = writ == nullptr ? nullptr : writ->Find("stop");
    if (stop != nullptr && verdict_.kind == Verdict::Kind::kGoOn) {
      if (stop->is_string()) verdict_ = {Verdict::Kind::kStopAsked, EscapeVisible(stop->string(), 300)};
      if (stop->is_bool() && stop->boolean()) verdict_ = {Verdict::Kind::kStopAsked, "the plane asked for the end of the run"};
    }
  }
  if (!renewed) return;
  // A crash before this is on disk costs the report of that run's end, nothing else.
  if (const auto store = local_.Store()) static_cast<void>(local_.Renew(**store, run_id_, *renewed));
}

void Heartbeat::Refused(std::string reason) {
  const std::lock_guard hold(mutex_);
  if (verdict_.kind != Verdict::Kind::kRefused) verdict_ = {Verdict::Kind::kRefused, std::move(reason)};
}

std::string Heartbeat::token() {
  const std::lock_guard hold(mutex_);
  return token_;
}

MonoTime Heartbeat::ends() {
  const std::lock_guard hold(mutex_);
  return ends_;
}

bool Heartbeat::Alive() {
  const std::lock_guard hold(mutex_);
  return !over_ && steady_clock::now() < ends_;
}

Verdict Heartbeat::verdict() {
  const std::lock_guard hold(mutex_);
  if (verdict_.kind != Verdict::Kind::kGoOn || !Ending()) return verdict_;
  return {Verdict::Kind::kRefused, std::string(kClaimEnded)};
}

/// Whether the claim ends so soon that nothing may go on under it.
bool Heartbeat::Ending() {
  over_ = over_ || steady_clock::now() + kMargin >= ends_;
  return over_;
}

/// One beat; `hold` is let go meanwhile.
Result<> Heartbeat::Beat(std::unique_lock<std::mutex>& hold) {
  if (!line_) line_.emplace(WRIT_TRY("plane", lines_.Take()));
  const Json body = Json::Of({{"claimToken", token_}});
  hold.unlock();
  const MonoTime sent = steady_clock::now();
  const auto answer = (*line_)->Post(path_, body, kCallTimeout);
  if (answer) Heard(*answer, sent);
  hold.lock();
  if (!answer) return std::unexpected(Error(answer.error()).Doing("renew claim"));
  return {};
}

void Heartbeat::Keep(const std::stop_token& stop) {
  std::unique_lock hold(mutex_);
  Millis backoff{0};
  while (!stop.stop_requested()) {
    const MonoTime due = backoff > Millis{0} ? steady_clock::now() + backoff : next_beat_;
    wake_.wait_until(hold, stop, std::min(due, ends_ - kMargin), [] { return false; });
    if (stop.stop_requested()) return;
    if (Ending()) {
      if (verdict_.kind != Verdict::Kind::kRefused) verdict_ = {Verdict::Kind::kRefused, std::string(kClaimEnded)};
      return;
    }
    if (steady_clock::now() < next_beat_) {  // something else was heard meanwhile
      backoff = Millis{0};
      continue;
    }
    const auto beaten = Beat(hold);
    if (stop.stop_requested()) return;
    if (beaten) {
      backoff = Millis{0};
    } else if (IsTransport(beaten.error(), line_ ? (*line_)->last_answer().status : 0)) {
      backoff = std::clamp(backoff * 2, first_backoff_, kBackoffMax);
    } else {
      if (verdict_.kind != Verdict::Kind::kRefused)
        verdict_ = {Verdict::Kind::kRefused, fmt::format("the plane does not renew the claim: {}", beaten.error().what)};
      return;
    }
  }
}

}  // namespace writ::runner
