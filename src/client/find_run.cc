#include "client/find_run.h"

#include <algorithm>
#include <vector>

#include "base/escape.h"
#include "client/plane_answers.h"
#include "storage/rules.h"

namespace writ::client {
namespace {

constexpr std::string_view kIdPrefix = "run_";
constexpr std::size_t kWholeIdBytes = 40;  // what a plane of this program gives out; others are looked up
constexpr int kPagesMax = 20;

bool IsMeant(std::string_view id, std::string_view named) {
  return id.starts_with(named) || (id.starts_with(kIdPrefix) && id.substr(kIdPrefix.size()).starts_with(named));
}

}  // namespace

Result<std::string> FindRun(remote::PlaneConnection& plane, std::string_view named) {
  if (!IsRunId(named)) {
    return Fail(Code::kInvalid, "`{}` is no run id, such as run_3f2a... or the beginning of one", EscapeVisible(named));
  }
  if (named.starts_with(kIdPrefix) && named.size() == kWholeIdBytes) return std::string(named);
  std::vector<std::string> found;
  const std::string query = fmt::format("/v1/runs?prefix={}&limit=1000", remote::PathPart(named));
  std::string path = query;
  for (int page = 0; page < kPagesMax; ++page) {
    const auto answer = WRIT_TRY("find run", plane.Get(path));
    auto listed = WRIT_TRY("find run", DecodeRuns(answer));
    for (auto& run : listed.runs) {
      if (IsMeant(run.run_id, named)) found.push_back(std::move(run.run_id));
    }
    if (!listed.next_cursor || listed.runs.empty()) break;
    path = query + "&cursor=" + remote::PathPart(*listed.next_cursor);
  }
  std::ranges::sort(found);
  return storage::PickRun(named, found);
}

}  // namespace writ::client
