#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "plane/core.h"
#include "plane/identity.h"
#include "plane/refusal.h"

namespace writ::api {

/// Whether a call has been counted against its principal's rate before.
enum class Counted : std::uint8_t { kNow, kAlready };

/// Who calls, and whether they may: lock-out, token, role, rate, in this order, with the texts of the wire.
plane::Answer<storage::Principal> Admit(plane::Core& core, std::string_view authorization, std::string_view address,
                                        plane::Capability capability, Counted counted = Counted::kNow);

/// Whether a bearer may store blobs: a principal that has the capability, or a claim token that is alive. Every refusal
/// is 401 `unauthorized`. `caller` becomes the principal's name or the runner's id.
plane::Answer<> MayUploadBlob(plane::Core& core, std::string_view authorization, std::string& caller);

}  // namespace writ::api
