#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "canon/json.h"

namespace writ::plane {

/// Why a plane says no to a caller: what the wire shows, and what only the request log may say.
struct [[nodiscard]] Refusal {
  int status = 500;                  ///< HTTP status
  std::string error;                 ///< sentence for the caller
  std::string code{};                ///< "" for transport-level refusals, else bad_request, unauthorized, ...
  std::vector<std::string> reasons{};  ///< of a policy denial
  std::vector<std::string> issues{};   ///< of a malformed request: "path.to.member: text"
  std::string cause{};               ///< for the request log; never sent
};

/// The error body of the wire (docs/formats/plane.md, "Errors").
canon::Json ToJson(const Refusal& refusal);

template <class T = void>
using Answer = std::expected<T, Refusal>;

/// A Refusal with the status that belongs to a code.
std::unexpected<Refusal> BadRequest(std::string error);    ///< 400 bad_request
std::unexpected<Refusal> Unauthorized(std::string error);  ///< 401 unauthorized
std::unexpected<Refusal> Forbidden(std::string error);     ///< 403 forbidden
std::unexpected<Refusal> NotFound(std::string error);      ///< 404 not_found
std::unexpected<Refusal> Conflict(std::string error);      ///< 409 conflict
/// Without a code: transport-level, as 429 `rate limit exceeded`.
std::unexpected<Refusal> Plain(int status, std::string error);
/// 400 `invalid request: I1; I2` with `issues`.
std::unexpected<Refusal> InvalidRequest(std::vector<std::string> issues);

/// What an unexpected error of a lower layer looks like from outside: 500 `internal server error`, or 503 when the
/// store is full or locked. The true text becomes `cause`.
Refusal FromError(Error error);

inline Refusal AsRefusal(Refusal refusal) { return refusal; }
inline Refusal AsRefusal(Error error) { return FromError(std::move(error)); }

}  // namespace writ::plane

/// Yields the value of an Answer or of a Result, or returns its refusal. Plain functions only.
#define WRIT_ANSWER(expr)                                                                               \
  __extension__({                                                                                       \
    auto writ_answer = (expr);                                                                          \
    if (!writ_answer) return std::unexpected(::writ::plane::AsRefusal(std::move(writ_answer).error())); \
    *std::move(writ_answer);                                                                            \
  })
