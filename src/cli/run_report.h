#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "api/local_plane.h"
#include "api/run_result.h"
#include "canon/json.h"

namespace writ::cli {

/// The summary of an ended run for stderr: one screen, aligned, every name escaped. `limits` are those asked for.
std::string RenderSummary(const api::RunResult& result, const Limits& limits, std::size_t columns);
/// The same of a run of a plane: commands that are proposed name it in full and end with `plane_option`, which may be
/// empty.
std::string RenderSummary(const api::RunResult& result, const Limits& limits, std::size_t columns, std::string_view plane_option);

/// Why writ itself decided the exit status, to be escaped: the refusal of a policy with the grant that would change
/// it, a missing output, a limit. Empty when the exit status is the job's own.
std::vector<std::string> Reasons(const api::RunResult& result);

/// The object of `writ run --json` without the streams (docs/formats/cli-json.md).
inline constexpr std::size_t kJsonStreamMax = 256u << 10;  ///< bytes of each stream; `writ logs` has the rest
canon::Json RunJson(const api::RunResult& result);
canon::Json DecisionJson(const api::DecisionView& decision);
/// A run as `list`, `ps` and `show` give it.
canon::Json RunRowJson(const api::RunRow& row);
/// "allow", "ask", "deny"
std::string_view VerdictWord(api::Verdict verdict);

/// SHA-256 of the canonical bytes of a signed receipt: what names it. Empty when there is no receipt.
std::string ReceiptHash(const canon::Json& receipt);

}  // namespace writ::cli
