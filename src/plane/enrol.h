#pragma once

#include <map>
#include <string>
#include <string_view>

#include "plane/core.h"
#include "plane/refusal.h"

namespace writ::plane {

inline constexpr std::size_t kPublicKeyBytesMax = 8192;
inline constexpr std::size_t kLabelsMax = 100;
inline constexpr std::chrono::minutes kEnrollTokenLife{60};

struct EnrolRequest {
  std::string token, public_pem, pool;
  std::map<std::string, std::string> labels{};
};
struct Enrolled {
  std::string runner_id, runner_token;
};
/// Binds a runner's key to a pool, for ever. The token is that of a principal with role enroller or admin, or one for a
/// single use, which is used up only when all of this is stored. Everything else about the request is judged first.
/// Refusals: 400 `invalid enroll token`, `invalid request: ...`.
Answer<Enrolled> EnrolRunner(Core& core, Change& change, const EnrolRequest& request);

struct EnrollToken {
  std::string token;
  WallTime expires{};
};
Answer<EnrollToken> MakeEnrollToken(Change& change);

/// The runner a token belongs to. Refusals: 401 `invalid runner token`; 401 `runner is not enrolled in the requested
/// pool`.
Answer<storage::Runner> RunnerOfToken(Core& core, std::string_view token, std::string_view pool);

/// An object of at most kLabelsMax labels with values, both `contract::IsLabelText`. Null or absent: none.
/// Errors: kInvalid, saying what is wrong.
Result<std::map<std::string, std::string>> ReadLabels(const canon::Json* json);

}  // namespace writ::plane
