#pragma once

#include <optional>

#include "base/error.h"
#include "crypto/ed25519.h"
#include "runner/identity.h"
#include "runner/lines.h"
#include "runner/options.h"

namespace writ::runner {

/// The identity in the directory, or a new one from the plane. See Runner::EnsureEnrolled.
Result<Identity> Enrol(const Options& options, Lines& lines);

/// The key that contracts must be signed by: the one that the options name, or what the plane said at enrolment.
/// nullopt: nobody told. Errors: kInvalid for a text that is neither PEM nor key id; kDenied when the plane's is another,
/// or only an id is known and the plane does not say its key.
Result<std::optional<crypto::PublicKey>> PlaneKeyOf(const Options& options, const Identity& identity);

}  // namespace writ::runner
