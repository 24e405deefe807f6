#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "canon/json.h"
#include "workspace/collect.h"

namespace writ::session {

/// The outputs a run released, as they are stored beside it, so that a later command can write them out: version
/// `writ.outputs.v1`, docs/formats/records.md. Contents are blobs under their hashes.
canon::Json EncodeOutputs(const std::vector<workspace::CollectedOutput>& outputs);
/// Inverse of EncodeOutputs; a directory's digest is checked against its files. Errors: kCorrupt, naming the member.
Result<std::vector<workspace::CollectedOutput>> DecodeOutputs(const canon::Json& record);

}  // namespace writ::session
