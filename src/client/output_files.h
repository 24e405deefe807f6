#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "canon/json.h"
#include "remote/plane_connection.h"
#include "workspace/collect.h"

namespace writ::client {

/// The declared outputs of a run, as the record that its chain names lists them (docs/formats/records.md). Every one is
/// compared with the receipt, and is one that the contract declares. Empty when the run released nothing. Precondition: `bundle` verified.
/// Errors: kCorrupt for a record that is not what chain and receipt say; those of PlaneConnection.
Result<std::vector<workspace::CollectedOutput>> OutputsOf(remote::PlaneConnection& plane, const canon::Json& bundle);

/// A file among the outputs that a tool of the caller might execute or obey by itself (workspace/danger.h).
struct DangerousOutput {
  std::string path, why;
};
/// Those that WriteOutputs would write, but for one that `only` names itself: what a run elsewhere is called to release is
/// the word of whoever asked for it, and of the plane.
std::vector<DangerousOutput> DangersIn(const std::vector<workspace::CollectedOutput>& outputs, std::string_view only = {});

/// Fetches contents and writes outputs below `directory`, which is made when it is absent, exactly like a local run does
/// (workspace::Release): nothing is written through a link, and content that is not what the record says not at all.
/// `only`: one output's name, or empty for all.
/// Errors: those of workspace::Release and PlaneConnection. What was written before an error stays.
Result<> WriteOutputs(remote::PlaneConnection& plane, const std::vector<workspace::CollectedOutput>& outputs, const std::string& directory,
                      std::string_view only = {});

}  // namespace writ::client
