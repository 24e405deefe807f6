#pragma once

#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/error.h"
#include "contract/extension.h"
#include "runner/fetched_blobs.h"
#include "workspace/inputs.h"

namespace writ::runner {

/// Fetches what a contract lists as inputs and says where it is, ready for workspace::StageInputs: a file as the kept
/// blob, a directory written below `folder` as its listing (workspace/listing.h), a blob too, has it. Neither listing nor
/// content is trusted: each is compared with its digest, and nothing is written outside `folder`.
/// `bytes_max`: of all of them together, counted each time one is named.
/// Errors: kCorrupt for what is not what the contract says; kInvalid for a listing that no directory has; kExhausted over
/// a bound; kDeadline; those of FetchedBlobs. All name the input. What was written stays: remove `folder`.
Result<std::vector<workspace::InputRequest>> FetchInputs(const std::vector<contract::InputDigest>& inputs, FetchedBlobs& blobs,
                                                         const std::string& folder, std::uint64_t bytes_max, Deadline deadline);

}  // namespace writ::runner
