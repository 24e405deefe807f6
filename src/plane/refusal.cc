#include "plane/refusal.h"

namespace writ::plane {
namespace {

std::unexpected<Refusal> Coded(int status, std::string_view code, std::string error) {
  return std::unexpected(Refusal{.status = status, .error = std::move(error), .code = std::string(code)});
}

canon::Json Texts(const std::vector<std::string>& texts) {
  return canon::Json::Array(texts.begin(), texts.end());
}

}  // namespace

canon::Json ToJson(const Refusal& refusal) {
  canon::Json json = canon::Json::Of({{"error", refusal.error}});
  if (!refusal.code.empty()) json.Set("code", refusal.code);
  if (!refusal.reasons.empty()) json.Set("reasons", Texts(refusal.reasons));
  if (!refusal.issues.empty()) json.Set("issues", Texts(refusal.issues));
  return json;
}

std::unexpected<Refusal> BadRequest(std::string error) { return Coded(400, "bad_request", std::move(error)); }
std::unexpected<Refusal> Unauthorized(std::string error) { return Coded(401, "unauthorized", std::move(error)); }
std::unexpected<Refusal> Forbidden(std::string error) { return Coded(403, "forbidden", std::move(error)); }
std::unexpected<Refusal> NotFound(std::string error) { return Coded(404, "not_found", std::move(error)); }
std::unexpected<Refusal> Conflict(std::string error) { return Coded(409, "conflict", std::move(error)); }
std::unexpected<Refusal> Plain(int status, std::string error) { return Coded(status, "", std::move(error)); }

std::unexpected<Refusal> InvalidRequest(std::vector<std::string> issues) {
  Refusal refusal{.status = 400, .error = "invalid request: "};
  for (const auto& issue : issues) {
    if (&issue != &issues.front()) refusal.error += "; ";
    refusal.error += issue;
  }
  refusal.issues = std::move(issues);
  return std::unexpected(std::move(refusal));
}

Refusal FromError(Error error) {
  const bool store_full = error.code == Code::kExhausted || error.code == Code::kUnavailable;
  Refusal refusal{.status = store_full ? 503 : 500, .error = store_full ? "the store cannot keep this: " : "internal server error"};
  if (store_full) refusal.error += error.code == Code::kExhausted ? "it is full" : "it is not available";
  refusal.cause = std::move(error.what);
  return refusal;
}

}  // namespace writ::plane
