#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "canon/json.h"
#include "workspace/changes.h"

namespace writ::session {

/// What a run changed, as it is stored beside the run, so that a later command can show and apply it: version
/// `writ.changes.v1`, docs/formats/records.md. Contents are blobs under their hashes.
canon::Json EncodeChanges(const workspace::ChangeSet& changes);
/// Inverse of EncodeChanges. Errors: kCorrupt, naming the member.
Result<workspace::ChangeSet> DecodeChanges(const canon::Json& record);

}  // namespace writ::session
