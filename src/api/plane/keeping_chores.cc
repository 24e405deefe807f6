#include "api/plane/route.h"

namespace writ::api {
namespace {

/// Nonces, enrol tokens and idempotent answers that have expired.
Answer<Millis> ForgetExpired(plane::Core&, plane::Change& change) {
  WRIT_ANSWER(change->ForgetExpired(change.now()));
  return std::chrono::minutes{10};
}

constexpr Chore kKeepingChores[] = {{"forget-expired", ForgetExpired}};

}  // namespace

std::span<const Chore> KeepingChores() { return kKeepingChores; }

}  // namespace writ::api
