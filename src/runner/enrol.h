#pragma once

#include <optional>

#include "base/error.h"
#include "crypto/ed25519.h"
#include "remote/plane_connection.h"
#include "runner/identity.h"
#include "runner/options.h"

namespace writ::runner {

/// The identity in the directory, or a new one from the plane. See Runner::EnsureEnrolled. Cancel of `plane` by another
/// thread ends it with kUnavailable, whether it asks or waits to ask again.
Result<Identity> Enrol(const Options& options, remote::PlaneConnection& plane);

/// The key that contracts must be signed by: the one that the options name, or what the plane said at enrolment.
/// nullopt: nobody told. Errors: kInvalid for a text that is neither PEM nor key id; kDenied when the plane's is another,
/// or only an id is known and the plane does not say its key.
Result<std::optional<crypto::PublicKey>> PlaneKeyOf(const Options& options, const Identity& identity);

}  // namespace writ::runner
