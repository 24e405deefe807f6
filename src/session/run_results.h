#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "canon/json.h"
#include "isolation/backend.h"
#include "session/guest_output.h"
#include "session/materialise.h"
#include "session/redaction.h"
#include "storage/blob_store.h"
#include "storage/store.h"
#include "workspace/changes.h"
#include "workspace/collect.h"

namespace writ::session {

/// What a run left, taken into the blob store, and what to say about it.
struct RunResults {
  workspace::ChangeSet changes;
  workspace::Collection collection;
  workspace::Drift drift;
  std::vector<canon::Json> events;            ///< in the order of the chain, up to the terminal event
  std::vector<storage::Artifact> artifacts;   ///< every blob the run names
};

/// Where results come from and go to. All borrowed.
struct ResultPlaces {
  const Materialised& given;
  const std::vector<workspace::DeclaredOutput>& declared;
  const StatePlace& state;
  storage::BlobStore& blobs;
  const Clock& clock;
  const Redaction& redaction;
};

/// Parts of CollectResults, for workspaces whose changes are found in another way. In the order of the chain: what was
/// changed, then these, then SealResults.

/// What is kept of the guest's output.
struct LogKeeping {
  bool streams = true;    ///< each stream by itself too
  bool as_utf8 = false;   ///< broken UTF-8 in the log becomes U+FFFD, as the original protocol has it
};
Result<> CollectLog(RunResults& results, GuestOutput& output, storage::BlobStore& blobs, const LogKeeping& keeping = {});
Result<> CollectOutputs(RunResults& results, isolation::Session& guest, const ResultPlaces& places);
/// Names a diff that is stored already.
void NameDiff(RunResults& results, std::string hash, std::uint64_t bytes);
/// Redacts the events and makes every artifact durable.
Result<> SealResults(RunResults& results, const ResultPlaces& places);

/// Collects changes, diff, log and declared outputs. Precondition: the guest's last process is dead. `guest` is null
/// when nothing was started: then only the (empty) log is looked at. Everything is durable when this returns.
/// Secrets are redacted in contents, diff, log, names and events. A change whose name or link target holds one is only
/// listed as skipped, and one whose content was redacted is held back like other dangerous ones, so that nobody
/// applies it unasked over a file that still has the value.
/// Errors: those of the trees and the blob store; nothing of it is named anywhere then.
Result<RunResults> CollectResults(isolation::Session* guest, GuestOutput& output, const ResultPlaces& places);

}  // namespace writ::session
