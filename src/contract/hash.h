#pragma once

#include <string>

#include "base/error.h"
#include "canon/json.h"

namespace writ::contract {

/// sha256 over canonical bytes, 64 lower-case hex characters. Errors: those of canon::Canonical.
Result<std::string> HashCanonical(const canon::Json& value);

/// HashCanonical of an object as if it had no member `signatures`: what its signers sign. Of a contract this is the
/// contract hash.
Result<std::string> HashUnsigned(const canon::Json& object);

}  // namespace writ::contract
