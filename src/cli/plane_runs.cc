// Looking at one run of a plane, waiting for it, ending it.
#include <fcntl.h>
#include <unistd.h>

#include "base/escape.h"
#include "cli/commands.h"
#include "cli/content_json.h"
#include "cli/plane_follow.h"
#include "cli/plane_link.h"
#include "cli/plane_report.h"
#include "cli/plane_request.h"
#include "cli/plane_result.h"
#include "cli/signals.h"
#include "cli/table.h"
#include "cli/terminal.h"
#include "contract/hash.h"
#include "contract/render.h"
#include "sys/file.h"

namespace writ::cli {
namespace {

using canon::Json;

constexpr std::size_t kJsonLogMax = 4u << 20;
constexpr std::uint64_t kLogBytesMax = 1ull << 40;

LiveOutputOptions ToTheCaller(api::RunControl& control) {
  LiveOutputOptions live;
  live.stdout_filter = IsTerminal(STDOUT_FILENO) ? Filter::kTerminal : Filter::kNone;
  live.stderr_filter = IsTerminal(STDERR_FILENO) ? Filter::kTerminal : Filter::kNone;
  live.on_reader_gone = [&control] { control.Cancel(); };
  live.stop = [&control] { return control.cancelled(); };
  return live;
}

/// The link and the run that the command names.
struct OnRun {
  PlaneLink link;
  std::string id;
};
Result<OnRun> OpenOnRun(Context& context) {
  auto link = OpenAndConfine(context);
  if (!link) return std::unexpected(std::move(link).error());
  auto id = PlaneRunId(*link, context.operand(0));
  if (!id) return std::unexpected(std::move(id).error());
  return OnRun{*std::move(link), *std::move(id)};
}

Result<client::Evidence> Fetch(OnRun& on) { return client::FetchEvidence(on.link.plane(), on.id, on.link.trust(), nullptr, SystemClock{}); }

std::string KeptHash(const Json& bundle, bool out, bool err) {
  if (out == err) return client::ArtifactHash(bundle, "log");
  return client::StreamKept(bundle, out ? "stdout" : "stderr").hash;
}

}  // namespace

int WaitCommand(Context& context) {
  const auto limit = DurationOption(context, "timeout", kNoLimit);
  if (!limit) return Complain(context, limit.error(), kCannotRunStatus);
  auto on = OpenOnRun(context);
  if (!on) return Complain(context, on.error(), kCannotRunStatus);
  api::RunControl control;
  LiveOutput live(ToTheCaller(control));
  const SignalScope signals(control, -1);
  RunFollower follower(on->link, control);
  FollowOptions options;
  options.cancel_on_stop = false;
  if (*limit != kNoLimit) options.deadline = Deadline::After(*limit);
  if (context.invocation.Has("logs") && !context.json()) options.live = &live;
  options.changed = [&](const client::RunView& view) {
    if (view.status == "awaiting_approval") Warn(context, ApprovalHint(on->link, on->id));
  };
  const auto followed = follower.Follow(on->id, options);
  if (!followed) return Complain(context, followed.error(), kCannotRunStatus);
  if (followed->how == client::WaitEnd::kDeadline) {
    return Complain(context, Error{Code::kDeadline, followed->run.status.empty() ? std::string("the plane has not answered in time")
                                                                                          : fmt::format("{} is {}", on->id, followed->run.status)},
                    kTimeStatus);
  }
  if (followed->how == client::WaitEnd::kStopped) return kCancelledStatus;
  const auto evidence = Fetch(*on);
  if (!evidence && evidence.error().code == Code::kNotFound && followed->run.status == "cancelled") {
    Warn(context, fmt::format("{} was cancelled before it began", on->id));
    if (context.json() && PrintJson(context, Json::Of({{"runId", on->id}, {"status", "cancelled"}, {"exitCode", kCancelledStatus}})) != 0) return kCannotRunStatus;
    return kCancelledStatus;
  }
  if (!evidence) return Complain(context, evidence.error(), kCannotRunStatus);
  if (options.live && evidence->ok()) {
    auto completed = follower.CompleteOutput(*evidence, live);
    if (completed) completed = live.Finish();
    if (!completed) Warn(context, fmt::format("not all output came through: {}", completed.error().what));
  }
  return ReportRun(context, on->link, *evidence);
}

int CancelCommand(Context& context) {
  auto on = OpenOnRun(context);
  if (!on) return Complain(context, on.error());
  const auto moved = CancelRun(on->link.plane(), on->id, context.invocation.Has("stop"));
  if (!moved) return Complain(context, moved.error());
  if (context.json()) return PrintJson(context, Json::Of({{"runId", moved->run_id}, {"status", moved->status}, {"stopping", moved->stopping}}));
  return Print(context, fmt::format("{} {}\n", moved->run_id, moved->stopping ? "is asked to end" : moved->status));
}

int PlaneListCommand(Context& context) {
  const auto limit = CountOption(context, "limit", 50, 100'000);
  if (!limit) return Complain(context, limit.error(), 2);
  auto link = OpenAndConfine(context);
  if (!link) return Complain(context, link.error());
  std::vector<client::RunSummary> runs;
  std::string path = fmt::format("/v1/runs?limit={}", *limit);
  while (runs.size() < *limit) {
    const auto answer = link->plane().Get(path);
    if (!answer) return Complain(context, answer.error());
    auto page = client::DecodeRuns(*answer);
    if (!page) return Complain(context, page.error());
    for (auto& run : page->runs) {
      if (runs.size() < *limit) runs.push_back(std::move(run));
    }
    if (!page->next_cursor || page->runs.empty()) break;
    path = fmt::format("/v1/runs?limit={}&cursor={}", *limit, remote::PathPart(*page->next_cursor));
  }
  if (context.json()) {
    Json rows = Json::MakeArray();
    for (const auto& run : runs) {
      rows.Append(Json::Of({{"runId", run.run_id}, {"status", run.status}, {"createdAt", run.created_at}, {"updatedAt", run.updated_at},
                            {"agentKind", run.agent_kind}, {"pool", run.pool}, {"requestedBy", contract::ToJson(run.requested_by)},
                            {"prompt", run.prompt}, {"hasReceipt", run.has_receipt}}));
    }
    return PrintJson(context, Json::Of({{"plane", link->target().url}, {"runs", std::move(rows)}}));
  }
  std::vector<std::vector<std::string>> table{{"RUN", "REQUESTED (UTC)", "STATUS", "POOL", "BY", "TASK"}};
  for (const auto& run : runs) {
    table.push_back({run.run_id, ShowTime(run.created_at), run.status, EscapeVisible(run.pool, 24), EscapeVisible(run.requested_by.id, 24),
                     EscapeVisible(run.prompt, 200)});
  }
  return Print(context, RenderTable(table, TableColumns()));
}

int PlaneShowCommand(Context& context) {
  auto on = OpenOnRun(context);
  if (!on) return Complain(context, on.error());
  const auto view = client::LookAt(on->link.plane(), on->id);
  if (!view) return Complain(context, view.error());
  const auto evidence = Fetch(*on);
  if (!evidence && evidence.error().code != Code::kNotFound) return Complain(context, evidence.error());
  if (context.json()) {
    Json json = Json::Of({{"plane", on->link.target().url}, {"run", Json::Of({{"runId", on->id}, {"status", view->status},
                          {"createdAt", view->created_at}, {"updatedAt", view->updated_at}})}, {"events", view->events.size()}});
    if (evidence) {
      for (const char* member : {"contract", "receipt"}) {
        if (const Json* part = evidence->bundle.Find(member)) json.Set(member, *part);
      }
      json.Set("evidence", EvidenceJson(*evidence));
    }
    return PrintJson(context, json);
  }
  std::string text = fmt::format("{} is {} since {}\n", on->id, view->status, ShowTime(view->updated_at));
  for (const auto& requirement : view->consent_requirements) text += fmt::format("  consent  {}\n", EscapeVisible(requirement, 300));
  if (evidence) text += contract::RenderStory(evidence->bundle, evidence->verification);
  return Print(context, text);
}

int PlaneVerifyCommand(Context& context) {
  auto on = OpenOnRun(context);
  if (!on) return Complain(context, on.error(), 2);
  const auto evidence = Fetch(*on);
  if (!evidence) return Complain(context, evidence.error(), evidence.error().code == Code::kDenied ? 1 : 2);
  for (const auto& line : EvidenceLines(*evidence)) {
    if (evidence->first_use) Warn(context, line);
  }
  const int printed = context.json() ? PrintJson(context, EvidenceJson(*evidence))
                                     : Print(context, contract::RenderStory(evidence->bundle, evidence->verification));
  return evidence->ok() ? printed : 1;
}

int PlaneBundleCommand(Context& context) {
  // The file is opened with the caller's rights, before anything of the plane is read.
  sys::UniqueFd fd(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3));
  const auto file = context.invocation.Value("output");
  const std::string path(file.value_or(std::string_view{}));
  if (file) {
    auto opened = sys::OpenFile(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
    if (!opened) return Complain(context, opened.error());
    fd = *std::move(opened);
  }
  const auto give_up = [&](const Error& error) {
    if (file) ::unlink(path.c_str());  // half a bundle is worse than none
    return Complain(context, error);
  };
  auto on = OpenOnRun(context);
  if (!on) return give_up(on.error());
  const auto evidence = Fetch(*on);
  if (!evidence) return give_up(evidence.error());
  if (!evidence->ok()) return give_up(Error{Code::kCorrupt, fmt::format("the bundle does not verify: {}", evidence->verification.problems.front())});
  if (evidence->first_use) Warn(context, EvidenceLines(*evidence).back());
  const std::string text = canon::Compact(evidence->bundle) + "\n";
  auto wrote = sys::WriteAll(fd.get(), text);
  if (wrote && file) wrote = sys::SyncFd(fd.get());
  if (!wrote) return give_up(wrote.error());
  if (!file || !context.json()) return 0;
  const auto hash = contract::HashCanonical(evidence->bundle);
  if (!hash) return Complain(context, hash.error());
  return PrintJson(context, Json::Of({{"path", path}, {"bytes", text.size()}, {"hash", *hash}}));
}

int PlaneLogsCommand(Context& context) {
  const bool out = context.invocation.Has("stdout"), err = context.invocation.Has("stderr"), follow = context.invocation.Has("follow");
  auto on = OpenOnRun(context);
  if (!on) return Complain(context, on.error());
  api::RunControl control;
  LiveOutput live(ToTheCaller(control));
  const SignalScope signals(control, -1);
  RunFollower follower(on->link, control);
  const auto seen = client::LookAt(on->link.plane(), on->id);
  if (!seen) return Complain(context, seen.error());
  const bool ended = client::IsEnded(seen->status);
  if (!ended && !follow) {
    return Complain(context, Error{Code::kUnavailable, fmt::format("{} is {}; -f follows its output", on->id, seen->status)});
  }
  if (!ended) {
    FollowOptions options;
    options.cancel_on_stop = false;
    if (!context.json() && out == err) options.live = &live;
    const auto followed = follower.Follow(on->id, options);
    if (!followed) return Complain(context, followed.error());
    if (followed->how != client::WaitEnd::kEnded) return kCancelledStatus;
  }
  const auto evidence = Fetch(*on);
  if (!evidence) return Complain(context, evidence.error());
  if (!evidence->ok()) return Complain(context, Error{Code::kCorrupt, fmt::format("the bundle does not verify: {}", evidence->verification.problems.front())});
  if (context.json()) {
    Json json = Json::Of({{"runId", on->id}});
    const auto add = [&](const char* name, const std::string& hash) -> Result<> {
      std::string content;
      if (!hash.empty()) content = WRIT_TRY(name, on->link.plane().GetBlob(hash, kLogBytesMax));
      json.Set(name, ContentJson(std::string_view(content).substr(0, kJsonLogMax), content.size()));
      return {};
    };
    auto added = out == err ? add("log", KeptHash(evidence->bundle, out, err)) : Result<>{};
    if (added && out && !err) added = add("stdout", KeptHash(evidence->bundle, true, false));
    if (added && err && !out) added = add("stderr", KeptHash(evidence->bundle, false, true));
    if (!added) return Complain(context, added.error());
    return PrintJson(context, json);
  }
  Result<> written;
  if (!ended && out == err) {
    written = follower.CompleteOutput(*evidence, live);
  } else if (const std::string hash = KeptHash(evidence->bundle, out, err); !hash.empty()) {
    written = on->link.plane().GetBlob(hash, [&](ByteView piece) -> Result<> {
      WRIT_TRY("stdout", live.Write(isolation::Stream::kStdout, piece));
      while (live.NotReady(isolation::Stream::kStdout) >= 0 && !control.cancelled()) WRIT_TRY("stdout", on->link.plane().http().Pause(Millis{10}));
      return {};
    }, kLogBytesMax);
  }
  if (written) written = live.Finish();
  return written ? 0 : Complain(context, written.error());
}

}  // namespace writ::cli
