#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "client/submit.h"
#include "contract/extension.h"
#include "sys/file.h"
#include "workspace/inputs.h"

namespace writ::client {

/// Inputs as they travel to a plane: copies in a directory of their own, which goes with this object.
struct CarriedInputs {
  std::vector<contract::InputDigest> digests;  ///< for the request
  std::vector<Upload> uploads;                 ///< content of files; a directory's listing, then its files
  std::optional<sys::TemporaryDirectory> copies;
};
/// Copies and hashes like a local run does (workspace::StageInputs), so that digests, refusals and modes are the same.
/// Errors: those of StageInputs; kExhausted for a file over kBlobBytesMax.
Result<CarriedInputs> CarryInputs(const std::vector<workspace::InputRequest>& requests);

/// Reads what a run is to get as its standard input, to its end. Errors: kInvalid for a directory or a terminal, which
/// has no end; kExhausted over kBlobBytesMax.
Result<Upload> ReadStdin(int fd);

}  // namespace writ::client
