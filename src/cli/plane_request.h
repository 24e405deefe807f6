#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "cli/context.h"
#include "cli/plane_ask.h"
#include "cli/plane_link.h"
#include "client/submit.h"

namespace writ::cli {

inline constexpr int kDeniedStatus = 122, kNeedsApprovalStatus = 123, kTimeStatus = 124, kCannotRunStatus = 125, kCancelledStatus = 130;

/// A request that was sent.
struct Requested {
  std::optional<int> exit;       ///< set: the command is done, everything was said
  client::Submitted run;
  std::uint64_t uploaded = 0;    ///< bytes
};

/// Prints why a policy denies, on stderr and with --json as the object of `writ run`. Returns 122.
int SayDenied(Context& context, const PlaneLink& link, const std::vector<std::string>& reasons);

/// A plane's answer to a dry run, for people or as JSON. 0, or 123 when it would need approval.
int SayDryRun(Context& context, const PlaneLink& link, const client::DryRunAnswer& answer);

/// What every request does: dry run where the extension is asked for or only a preview is wanted, upload, request.
Requested SendRequest(Context& context, PlaneLink& link, const AskOptions& options, const std::vector<client::Upload>& uploads);

/// How to answer a run that needs approval.
std::string ApprovalHint(const PlaneLink& link, const std::string& run_id);

}  // namespace writ::cli
