#pragma once

#include <memory>
#include <string>

#include "base/deadline.h"
#include "base/error.h"
#include "contract/contract.h"
#include "contract/manifest.h"
#include "runner/fetched_blobs.h"
#include "runner/job.h"
#include "session/checkout_cache.h"
#include "session/materialise.h"
#include "session/run_engine.h"
#include "session/stdin_pump.h"
#include "storage/blob_store.h"
#include "sys/file.h"

namespace writ::runner {

/// What a distant run is to see: the checkout of its manifest, shared and read-only, or a directory of its own when it is
/// not based on a commit; and its inputs.
struct Given {
  session::Materialised materialised;
  std::shared_ptr<const session::Checkout> checkout;  ///< null: not based on git
  sys::UniqueFd stdin_file;                           ///< what `stdin_pump` reads
  std::unique_ptr<session::StdinPump> stdin_pump;     ///< null: the run reads nothing
};

struct GivenParts {
  FetchedBlobs& blobs;
  session::CheckoutCache& checkouts;
  isolation::Backend& git;                ///< where git runs
  const sys::TemporaryDirectory& folder;  ///< of this run
  const Clock& clock;
};

/// Fetches and checks everything that the contract's manifest and inputs name.
/// Errors: kUnavailable when git cannot run here; everything else is a `transfer_failed`: what did not come, or is not
/// what the contract says, `blob hash mismatch for PATH` among them.
Result<Given> FetchGiven(const contract::Contract& contract, const Job& job, const GivenParts& parts, Deadline deadline);

/// Takes what a run on a checkout left: the diff that git makes, the log, declared outputs. Empty without a checkout:
/// session::CollectResults does it then. `job`, `git`, `results` and `clock` are borrowed until the run has ended.
session::ResultCollector CollectorFor(const Given& given, const Job& job, isolation::Backend& git, storage::BlobStore& results,
                                      const Clock& clock);

}  // namespace writ::runner
