#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "canon/json.h"
#include "client/known_planes.h"
#include "client/run_ask.h"
#include "contract/bundle.h"
#include "remote/plane_connection.h"

namespace writ::client {

/// Whose signature a bundle must have.
struct PlaneTrust {
  std::string url;                    ///< of the plane, as KnownPlanes keeps it
  std::optional<KnownPlanes> known;   ///< absent: nothing is remembered
  std::vector<contract::Pin> pins;    ///< --plane-key: one of these, and `known` is left alone
};

/// A bundle and what was found out about it.
struct Evidence {
  canon::Json bundle;
  contract::Verification verification;  ///< problems of the bundle, of the run id, and of what was asked
  bool first_use = false;               ///< the plane's key was put on record by this very bundle
  std::string plane_key_id;
  bool ok() const { return verification.ok(); }
};

/// Downloads a run's bundle, verifies it and compares the plane's key with the one on record. `ask`, if given, is what
/// this client asked for: a contract that says something else is a problem too.
/// Errors: kNotFound when there is no bundle (yet); kDenied when the key has changed; those of PlaneConnection. A
/// bundle that does not verify is no error.
Result<Evidence> FetchEvidence(remote::PlaneConnection& plane, std::string_view run_id, const PlaneTrust& trust, const RunAsk* ask,
                               const Clock& clock);

/// The same for a bundle that is here already.
Result<Evidence> JudgeBundle(canon::Json bundle, std::string_view run_id, const PlaneTrust& trust, const RunAsk* ask, const Clock& clock);

/// Hash of the last artifact of a kind ("diff", "log") in the bundle's events; empty when there is none.
std::string ArtifactHash(const canon::Json& bundle, std::string_view kind);
/// Hash and size of what was kept of one stream (`writ.stream.kept`); hash empty when there is nothing.
struct KeptStream {
  std::string hash;
  std::uint64_t bytes = 0;
};
KeptStream StreamKept(const canon::Json& bundle, std::string_view stream);

}  // namespace writ::client
