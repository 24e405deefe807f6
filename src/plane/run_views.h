#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "canon/json.h"
#include "plane/core.h"
#include "plane/refusal.h"

/// What the plane says of its runs. Nothing is changed.
namespace writ::plane {

inline constexpr std::size_t kListMax = 1000, kEventsMax = 100000;

/// One page of a list: where it goes on, and how many.
struct Page {
  std::size_t limit = kListMax;
  std::optional<std::uint64_t> before;  ///< number of the last run of the page before
  std::optional<storage::RunStatus> status;
};
/// Of query parameters, absent ones as nullopt. Errors: 400 with an issue per parameter.
Answer<Page> DecodePage(std::optional<std::string_view> limit, std::optional<std::string_view> cursor,
                        std::optional<std::string_view> status);

/// `{runs, nextCursor?}`, newest first.
Answer<canon::Json> ListRuns(const Core& core, const Page& page);
/// The same list with one run, or none.
Answer<canon::Json> ListRun(const Core& core, const std::optional<std::string>& run_id);
/// `{runId, status, createdAt, updatedAt, consentRequirements, failureMessage?, events, nextSeq?}`; events from `from`
/// on, at most `limit` and at most kEventsMax. Errors: 404 `run not found`.
Answer<canon::Json> ViewRun(const Core& core, std::string_view run_id, std::uint64_t from, std::size_t limit);
/// `{approvals, nextCursor?}`: the runs that wait for consent.
Answer<canon::Json> ListApprovals(const Core& core, const Page& page, WallTime now);

/// Part of the export: lines, and where the next part begins.
struct ExportPart {
  std::string lines;  ///< `{"runId":...,<members of the chained event>}` LF
  std::optional<std::string> next;
};
inline constexpr std::size_t kExportLinesMax = 2000;
/// `since` is a timestamp, or empty for everything. At most `limit` lines and about 1 MiB at a time. Errors: 400 for
/// another `since` or cursor.
Answer<ExportPart> ExportFrom(const Core& core, std::string_view since, std::string_view cursor,
                              std::size_t limit = kExportLinesMax);

}  // namespace writ::plane
