#include "plane/run_views.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "plane/approvals.h"

namespace writ::plane {

using canon::Json;
using storage::RunStatus;

namespace {

constexpr std::size_t kExportBytes = 1u << 20, kApprovalsMax = 100, kApprovalsBytes = 4u << 20;

template <class Number>
bool ReadNumber(std::string_view text, Number& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

Json Summary(const storage::Run& run) {
  auto summary = canon::Parse(run.summary, canon::Mode::kWire);
  return summary && summary->is_object() ? *std::move(summary) : Json::MakeObject();
}

Json Copied(const Json& from, std::string_view name, Json otherwise) {
  const Json* member = from.Find(name);
  return member == nullptr ? std::move(otherwise) : *member;
}

/// A run that the plane itself ended before anybody ran it has none; every other end has one.
Result<bool> HasReceipt(const Core& core, const storage::Run& run) {
  if (!storage::IsTerminal(run.status)) return false;
  if (run.status != RunStatus::kCancelled) return true;
  const auto receipt = WRIT_TRY("receipt", core.store.GetDocument(run.id, "receipt"));
  return receipt.has_value();
}

Result<Json> RowOf(const Core& core, const storage::Run& run) {
  const Json summary = Summary(run);
  const bool has_receipt = WRIT_TRY("list", HasReceipt(core, run));
  Json row = Json::Of({{"runId", run.id},
                       {"status", storage::RunStatusName(run.status)},
                       {"agentKind", Copied(summary, "agentKind", "")},
                       {"pool", Copied(summary, "pool", "")},
                       {"prompt", Copied(summary, "prompt", "")},
                       {"requestedBy", Copied(summary, "requestedBy", nullptr)},
                       {"createdAt", FormatTimestamp(run.created)},
                       {"updatedAt", FormatTimestamp(run.updated)},
                       {"consentRequirements", Copied(summary, "consentRequirements", Json::MakeArray())},
                       {"hasReceipt", has_receipt}});
  for (const std::string_view name : {"continuation", "failureMessage"}) {
    if (const Json* member = summary.Find(name)) row.Set(name, *member);
  }
  return row;
}

}  // namespace

Answer<Page> DecodePage(std::optional<std::string_view> limit, std::optional<std::string_view> cursor,
                        std::optional<std::string_view> status) {
  Page page;
  std::vector<std::string> issues;
  if (limit && (!ReadNumber(*limit, page.limit) || page.limit == 0)) issues.push_back("limit: must be a whole number above 0");
  page.limit = std::min(page.limit, kListMax);
  if (cursor && !ReadNumber(*cursor, page.before.emplace())) issues.push_back("cursor: must be the nextCursor of an answer");
  if (status) {
    page.status = storage::RunStatusFromName(*status);
    if (!page.status) issues.push_back("status: must be a status of runs");
  }
  if (!issues.empty()) return InvalidRequest(std::move(issues));
  return page;
}

Answer<Json> ListRuns(const Core& core, const Page& page) {
  const auto runs = WRIT_ANSWER(page.status ? core.store.RunsWithStatus(*page.status, page.limit, page.before)
                                            : core.store.ListRuns(page.limit, page.before));
  Json rows = Json::MakeArray();
  for (const auto& run : runs) rows.Append(WRIT_ANSWER(RowOf(core, run)));
  Json list = Json::Of({{"runs", std::move(rows)}});
  if (runs.size() == page.limit) list.Set("nextCursor", std::to_string(runs.back().number));
  return list;
}

Answer<Json> ListRun(const Core& core, const std::optional<std::string>& run_id) {
  Json rows = Json::MakeArray();
  if (run_id) {
    const storage::Run run = WRIT_ANSWER(core.store.GetRun(*run_id));
    rows.Append(WRIT_ANSWER(RowOf(core, run)));
  }
  return Json::Of({{"runs", std::move(rows)}});
}

Answer<Json> ViewRun(const Core& core, std::string_view run_id, std::uint64_t from, std::size_t limit) {
  const auto run = core.store.GetRun(run_id);
  if (!run && run.error().code == Code::kNotFound) return Plain(404, "run not found");
  if (!run) return std::unexpected(FromError(run.error()));
  limit = std::min(limit, kEventsMax);
  const auto texts = WRIT_ANSWER(core.store.Events(run_id, from, limit));
  Json events = Json::MakeArray();
  for (const auto& text : texts) events.Append(WRIT_ANSWER(canon::Parse(text, canon::Mode::kWire)));
  const Json summary = Summary(*run);
  Json view = Json::Of({{"runId", run->id},
                        {"status", storage::RunStatusName(run->status)},
                        {"createdAt", FormatTimestamp(run->created)},
                        {"updatedAt", FormatTimestamp(run->updated)},
                        {"consentRequirements", Copied(summary, "consentRequirements", Json::MakeArray())}});
  if (const Json* message = summary.Find("failureMessage")) view.Set("failureMessage", *message);
  view.Set("events", std::move(events));
  if (from + texts.size() < run->event_count) view.Set("nextSeq", from + texts.size());
  return view;
}

Answer<Json> ListApprovals(const Core& core, const Page& page, WallTime now) {
  const std::size_t limit = std::min(page.limit, kApprovalsMax);
  const auto runs = WRIT_ANSWER(core.store.RunsWithStatus(RunStatus::kAwaitingApproval, limit, page.before));
  Json list = Json::MakeArray();
  std::optional<std::uint64_t> last;
  std::size_t bytes = 0;
  for (const auto& run : runs) {
    bytes += core.parked.BytesOfRun(run.id);
    if (last && bytes > kApprovalsBytes) break;  // one is always shown
    list.Append(WRIT_ANSWER(ApprovalOf(core, run.id, now)));
    last = run.number;
  }
  Json answer = Json::Of({{"approvals", std::move(list)}});
  if (last && (runs.size() == limit || *last != runs.back().number)) answer.Set("nextCursor", std::to_string(*last));
  return answer;
}

Answer<ExportPart> ExportFrom(const Core& core, std::string_view since, std::string_view cursor, std::size_t limit) {
  if (!since.empty() && !ParseTimestamp(since)) return InvalidRequest({"since: must be a time like 2026-06-11T00:00:00.000Z"});
  storage::EventCursor from;
  if (!cursor.empty()) {
    const auto colon = cursor.find(':');
    if (colon == std::string_view::npos || !ReadNumber(cursor.substr(colon + 1), from.seq))
      return InvalidRequest({"cursor: must be the one of an answer"});
    from.run_id = cursor.substr(0, colon);
  }
  ExportPart part;
  std::optional<storage::EventCursor> next = from;
  // A page of the store may be empty; go on until there is something to send, or the end.
  while (next && part.lines.empty()) {
    const storage::EventPage events = WRIT_ANSWER(core.store.EventsAfter(since, *next, std::clamp<std::size_t>(limit, 1, kExportLinesMax)));
    next = events.next;
    for (const auto& event : events.events) {
      if (part.lines.size() > kExportBytes) {
        next = storage::EventCursor{event.run_id, event.seq};
        break;
      }
      const Json entry = WRIT_ANSWER(canon::Parse(event.text, canon::Mode::kWire));
      Json line = Json::Of({{"runId", event.run_id}});
      if (entry.is_object()) {
        for (const auto& [name, value] : entry.object()) {
          if (name != "runId") line.Set(name, value);
        }
      }
      part.lines += canon::Compact(line);
      part.lines += '\n';
    }
  }
  if (next) part.next = fmt::format("{}:{}", next->run_id, next->seq);
  return part;
}

}  // namespace writ::plane
