#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "canon/json.h"
#include "isolation/backend.h"
#include "sys/file.h"
#include "sys/unique_fd.h"
#include "workspace/inputs.h"
#include "workspace/manifest.h"

namespace writ::session {

/// Host places a run is to see.
struct Sources {
  std::string workspace;  ///< directory; empty: none
  std::string root;       ///< directory; empty: the system directories
  std::vector<workspace::InputRequest> inputs;
};

/// The same places, opened, read and hashed. Inputs are copies in a directory of their own, which is removed with
/// this object.
struct Materialised {
  std::string workspace_path, root_path;  ///< absolute, links resolved; empty when not asked for
  sys::UniqueFd workspace, root;
  workspace::Manifest manifest;           ///< of the workspace
  canon::Json wire_manifest;              ///< `warrant.manifest.v1`
  std::string manifest_hash;
  std::unique_ptr<sys::TemporaryDirectory> staging;
  std::vector<workspace::StagedInput> inputs;
};

/// Where the state directory is and where copies may be made. An absent state directory is one that does not exist
/// yet: nothing can overlap with it, and inputs are only looked at.
struct StatePlace {
  std::string path;     ///< absolute
  bool exists = false;
  std::string staging;  ///< existing directory for copies; empty: inputs are hashed in a temporary directory
};

/// Opens, checks and hashes what a run is to see. `run_id` names the staging directory, so that what a crash leaves
/// can be told apart from what a living run needs.
/// Errors: kDenied when the workspace, the root or an input overlaps with the state directory; kNotFound, kInvalid,
///         kExhausted, kUnavailable as in workspace/manifest.h and workspace/inputs.h, naming the place.
Result<Materialised> Materialise(const Sources& sources, const StatePlace& state, std::string_view run_id,
                                 const Clock& clock);

/// Gives a session its own descriptors of the directories. `given` must outlive the session: it holds the copies.
/// Errors: kExhausted without free descriptors.
Result<> LendLayers(const Materialised& given, isolation::SessionSpec& spec);

/// Paths of the workspace that somebody else changed since it was materialised.
Result<workspace::Drift> FindDrift(const Materialised& given, const StatePlace& state, const Clock& clock);

/// Refuses a directory for released outputs that lies inside the state directory. It may be absent.
Result<> CheckOutside(const std::string& directory, const StatePlace& state);

}  // namespace writ::session
