#include <unistd.h>

#include "base/escape.h"
#include "base/units.h"
#include "cli/commands.h"
#include "cli/plane_ask.h"
#include "cli/plane_follow.h"
#include "cli/plane_handoff.h"
#include "cli/plane_link.h"
#include "cli/plane_request.h"
#include "cli/plane_workspace.h"
#include "cli/signals.h"
#include "cli/table.h"
#include "cli/terminal.h"
#include "client/handoff_builder.h"
#include "client/planner.h"
#include "client/review.h"

namespace writ::cli {
namespace {

using canon::Json;

constexpr std::size_t kAttemptsMax = 64;
constexpr std::uint64_t kCountedBytesMax = 1ull << 32;

/// N runs of one checkpoint, from request to comparison.
class Fanout {
 public:
  Fanout(Context& context, PlaneLink& link, AskOptions options, client::Strategy strategy)
      : context_(context), link_(link), options_(std::move(options)), strategy_(strategy) {}

  int Run(std::size_t attempts, const std::vector<client::Upload>& uploads, Deadline deadline) {
    api::RunControl control;
    const SignalScope signals(control, -1);
    for (std::size_t i = 0; i < attempts && !control.cancelled(); ++i) {
      const Requested requested = SendRequest(context_, link_, options_, i == 0 ? uploads : std::vector<client::Upload>{});
      if (requested.exit) {
        CancelAll();  // what was requested before is worth nothing alone
        return *requested.exit;
      }
      runs_.push_back(requested.run.run_id);
      if (requested.run.status == "awaiting_approval") Warn(context_, ApprovalHint(link_, runs_.back()));
    }
    for (const auto& run : runs_) {
      if (!Wait(run, deadline, control)) break;
    }
    if (control.cancelled()) {
      CancelAll();
      return kCancelledStatus;
    }
    for (const auto& run : runs_) cards_.push_back(CardFor(run));
    return Report();
  }

 private:
  bool Wait(const std::string& run, Deadline deadline, api::RunControl& control) {
    FollowOptions options;
    options.deadline = deadline;
    options.cancel_on_stop = false;
    const auto followed = RunFollower(link_, control).Follow(run, options);
    if (!followed) Warn(context_, fmt::format("{}: {}", run, followed.error().what));
    return !control.cancelled();
  }

  void CancelAll() {
    for (const auto& run : runs_) {
      if (const auto told = CancelRun(link_.plane(), run, true); !told && told.error().code != Code::kInvalid) {
        Warn(context_, fmt::format("{} could not be cancelled: {}", run, told.error().what));
      }
    }
  }

  client::Scorecard CardFor(const std::string& run) {
    const auto evidence = client::FetchEvidence(link_.plane(), run, link_.trust(), &options_.ask, SystemClock{});
    if (!evidence) {
      client::Scorecard card;
      card.run_id = run;
      card.status = "unknown";
      card.problem = evidence.error().what;
      return card;
    }
    client::Scorecard card = client::CardOf(evidence->bundle);
    card.run_id = run;
    card.verified = evidence->ok();
    if (!evidence->ok()) card.problem = evidence->verification.problems.front();
    const std::string diff = client::ArtifactHash(evidence->bundle, "diff");
    if (diff.empty() || !card.verified) return card;
    const auto counted = link_.plane().GetBlob(
        diff,
        [&](ByteView piece) -> Result<> {
          card.diff_bytes += piece.size();
          return {};
        },
        kCountedBytesMax);
    if (!counted) {
      card.verified = false;
      card.problem = fmt::format("its diff cannot be read: {}", counted.error().what);
    }
    return card;
  }

  int Report() {
    const auto best = client::Best(strategy_, cards_);
    const int status = best && cards_[*best].exit_code == 0 ? 0 : 1;
    if (context_.json()) {
      Json cards = Json::MakeArray();
      for (const auto& card : cards_) cards.Append(client::ToJson(card));
      Json json = Json::Of({{"exitCode", status}, {"plane", link_.target().url}, {"attempts", std::move(cards)}});
      if (best) json.Set("best", cards_[*best].run_id);
      return PrintJson(context_, json) == 0 ? status : kCannotRunStatus;
    }
    std::vector<std::vector<std::string>> rows{{"", "RUN", "STATUS", "EXIT", "DIFF", "FILES", "TIME", "EVENTS", "BLOCKED", "SECRETS"}};
    for (std::size_t i = 0; i < cards_.size(); ++i) {
      const client::Scorecard& card = cards_[i];
      rows.push_back({best == i ? "*" : "", EscapeVisible(card.run_id), EscapeVisible(card.status), card.exit_code ? fmt::format("{}", *card.exit_code) : "-",
                      FormatSize(card.diff_bytes), fmt::format("{}", card.files_changed), FormatDuration(Millis{card.duration_ms}),
                      fmt::format("{}", card.events), fmt::format("{}", card.egress_blocked), fmt::format("{}", card.secrets_released.size())});
    }
    const int printed = Print(context_, RenderTable(rows, IsTerminal(STDOUT_FILENO) ? TextColumns(STDOUT_FILENO) : 1000));
    for (const auto& card : cards_) {
      if (!card.problem.empty()) Warn(context_, fmt::format("{}: {}", card.run_id, card.problem));
    }
    if (!best) Warn(context_, "there is no attempt to take");
    if (best) Warn(context_, fmt::format("best: writ pull {}{}", cards_[*best].run_id, link_.PlaneOption()));
    return printed == 0 ? status : kCannotRunStatus;
  }

  Context& context_;
  PlaneLink& link_;
  const AskOptions options_;
  const client::Strategy strategy_;
  std::vector<std::string> runs_;
  std::vector<client::Scorecard> cards_;
};

}  // namespace

int FanoutCommand(Context& context) {
  const auto attempts = CountOption(context, "attempts", 2, kAttemptsMax);
  if (!attempts) return Complain(context, attempts.error(), kCannotRunStatus);
  const auto strategy = client::ParseStrategy(context.invocation.Value("strategy").value_or("tests-pass-smallest-diff"));
  const auto limit = DurationOption(context, "wait-timeout", kNoLimit);
  if (!limit) return Complain(context, limit.error(), kCannotRunStatus);
  auto link = PlaneLink::Open(context);
  if (!link) return Complain(context, link.error(), kCannotRunStatus);
  auto options = ReadAskOptions(context.invocation, link->requested_by());
  if (!options) return Complain(context, options.error(), kCannotRunStatus);
  const auto policy = ReadContinuationPolicy(context);
  if (!policy) return Complain(context, policy.error(), kCannotRunStatus);
  const auto denials = client::PlanDenials(*policy, {options->ask.pool, options->ask.budget, *attempts});
  if (!denials.empty()) return SayPlanDenied(context, denials);
  auto uploads = CaptureWorkspace(*options, link->state_directory());
  if (!uploads) return Complain(context, uploads.error(), kCannotRunStatus);
  if (const auto confined = context.wiring.confine(Network::kOut); !confined) return Complain(context, confined.error(), kCannotRunStatus);
  for (const auto& warning : options->warnings) Warn(context, warning);
  const SystemClock clock;
  client::HandoffNotes notes;
  if (const auto reason = context.invocation.Value("reason")) notes.reason = std::string(*reason);
  auto handoff = client::BuildHandoff(options->ask, notes, client::MakeHandoffIds(clock));
  if (!handoff) return Complain(context, handoff.error(), kCannotRunStatus);
  options->ask = std::move(handoff->ask);
  AddBlobs(handoff->blobs, *uploads);
  const Deadline deadline = *limit == kNoLimit ? Deadline::Never() : Deadline::After(*limit);
  return Fanout(context, *link, *std::move(options), *strategy).Run(*attempts, *uploads, deadline);
}

}  // namespace writ::cli
