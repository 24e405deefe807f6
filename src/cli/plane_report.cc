#include "cli/plane_report.h"

#include <unistd.h>

#include "cli/content_json.h"
#include "cli/plane_request.h"
#include "cli/plane_result.h"
#include "cli/run_report.h"
#include "cli/terminal.h"

namespace writ::cli {
namespace {

using canon::Json;

/// What was kept of a blob, at most kJsonStreamMax. The whole is read, because only then its hash is known to be right.
Result<Json> BlobJson(PlaneLink& link, const std::string& hash) {
  std::string head;
  std::uint64_t bytes = 0;
  if (!hash.empty()) {
    WRIT_TRY("output", link.plane().GetBlob(
                           hash,
                           [&](ByteView piece) -> Result<> {
                             bytes += piece.size();
                             if (head.size() < kJsonStreamMax) head += AsText(piece).substr(0, kJsonStreamMax - head.size());
                             return {};
                           },
                           1ull << 40));
  }
  return ContentJson(head, bytes);
}

}  // namespace

int AnswerRunInJson(Context& context, PlaneLink& link, const client::Evidence& evidence, const api::RunResult& result) {
  Json json = RunJson(result);
  json.Set("plane", link.target().url).Set("evidence", EvidenceJson(evidence));
  if (evidence.ok()) {
    const auto out = client::StreamKept(evidence.bundle, "stdout"), err = client::StreamKept(evidence.bundle, "stderr");
    // A runner of the original protocol keeps one log of both streams.
    const std::string log = out.hash.empty() && err.hash.empty() ? client::ArtifactHash(evidence.bundle, "log") : std::string();
    for (const auto& [name, hash] : {std::pair{"stdout", out.hash.empty() ? log : out.hash}, std::pair{"stderr", err.hash}}) {
      auto content = BlobJson(link, hash);
      if (!content) return Complain(context, content.error(), kCannotRunStatus);
      json.Set(name, *std::move(content));
    }
  }
  return PrintJson(context, json) == 0 ? result.exit_code : kCannotRunStatus;
}

int ReportRun(Context& context, PlaneLink& link, const client::Evidence& evidence) {
  const api::RunResult result = ResultOf(evidence);
  for (const auto& line : EvidenceLines(evidence)) Warn(context, line);
  for (const auto& line : Reasons(result)) Warn(context, line);
  if (context.json()) return AnswerRunInJson(context, link, evidence, result);
  Limits limits;
  if (const Json* writ = result.contract.is_object() ? result.contract.Find("writ") : nullptr) {
    if (const auto extension = contract::DecodeContractExtension(*writ)) limits = extension->limits;
  }
  const std::size_t columns = IsTerminal(STDOUT_FILENO) ? TextColumns(STDOUT_FILENO) : 1000;
  return Print(context, RenderSummary(result, limits, columns, link.PlaneOption())) == 0 ? result.exit_code : kCannotRunStatus;
}

}  // namespace writ::cli
