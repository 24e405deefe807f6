#include "base/escape.h"
#include "base/units.h"
#include "cli/commands.h"

namespace writ::cli {

using canon::Json;

int KillCommand(Context& context) {
  const auto timeout = DurationOption(context, "timeout", std::chrono::seconds{10});
  if (!timeout) return Complain(context, timeout.error(), 2);
  const auto plane = OpenPlane();
  const auto run = plane->Resolve(context.operand(0));
  if (!run) return Complain(context, run.error());
  if (const auto killed = plane->Kill(*run, Deadline::After(*timeout)); !killed) return Complain(context, killed.error());
  if (context.json()) return PrintJson(context, Json::Of({{"runId", *run}, {"ended", true}}));
  return Print(context, fmt::format("{}\n", *run));
}

int GcCommand(Context& context) {
  api::GcRequest request;
  const auto older = DurationOption(context, "older-than", request.older_than);
  if (!older) return Complain(context, older.error(), 2);
  const auto keep = CountOption(context, "keep", request.keep_last, 1'000'000);
  if (!keep) return Complain(context, keep.error(), 2);
  request.older_than = *older;
  request.keep_last = *keep;
  request.dry_run = context.invocation.Has("dry-run");
  const auto result = OpenPlane()->Gc(request);
  if (!result) return Complain(context, result.error());
  if (context.json()) {
    Json runs = Json::MakeArray();
    for (const auto& run : result->runs) runs.Append(run);
    return PrintJson(context, Json::Of({{"dryRun", request.dry_run},
                                        {"runs", std::move(runs)},
                                        {"blobs", result->blobs},
                                        {"bytes", result->bytes}}));
  }
  std::string text;
  for (const auto& run : result->runs) text += fmt::format("{}\n", EscapeVisible(run));
  text += fmt::format("{} {} runs, {} files, {}\n", request.dry_run ? "would remove" : "removed", result->runs.size(), result->blobs,
                      FormatSize(result->bytes));
  return Print(context, text);
}

}  // namespace writ::cli
