#pragma once

#include <string>

#include "base/error.h"
#include "runner/claim.h"
#include "runner/fetched_blobs.h"
#include "runner/identity.h"
#include "runner/lines.h"
#include "runner/local_runs.h"
#include "runner/options.h"
#include "session/checkout_cache.h"

namespace writ::runner {

/// Labels of a runner's life where tests stop the process, besides those of session/fault_point.h.
namespace fault {
inline constexpr std::string_view kClaimed = "claim-answered";    ///< the plane gave the run away, nothing is written here
inline constexpr std::string_view kRecorded = "claim-recorded";   ///< the claim is in the local store
inline constexpr std::string_view kMaterialised = "materialised"; ///< the chain says so, nothing is started
inline constexpr std::string_view kUploaded = "uploaded";         ///< blobs are at the plane, the end is not written
inline constexpr std::string_view kEndWritten = "end-written";    ///< the terminal event is in the local chain only
inline constexpr std::string_view kSigned = "receipt-signed";     ///< here only
inline constexpr std::string_view kCompleted = "completed";       ///< the plane has the receipt, this store does not
inline constexpr std::string_view kAll[] = {kClaimed, kRecorded, kMaterialised, kUploaded, kEndWritten, kSigned, kCompleted};
}  // namespace fault

/// What all runs of a runner share. All borrowed.
struct CarryParts {
  const Options& options;
  const Identity& identity;
  const std::optional<crypto::PublicKey>& plane_key;
  const Clock& clock;
  Lines& lines;
  LocalRuns& local;
  FetchedBlobs& blobs;
  session::CheckoutCache& checkouts;
};

/// How a claimed run ended here.
struct Carried {
  std::string run_id, status;  ///< completed, failed or cancelled
  std::string message;         ///< why it failed, for the operator; empty otherwise
};

/// Carries a claim to its receipt at the plane: checked, recorded, materialised, run, reported. What cannot run ends
/// with a receipt that says why (capability_mismatch, policy_denied, transfer_failed, session_failed).
/// Errors: kDenied for a claim that must not be acted on, nothing was done then; others when the end could not be
/// reported: it stays in the local store if somebody may still report it.
Result<Carried> CarryClaim(const CarryParts& parts, Claim claim);

/// Ends runs that a crash left, with receipts, while their claims last; forgets those whose claims are gone.
Result<> EndOrphans(const CarryParts& parts);

}  // namespace writ::runner
