#include "plane/enrol.h"

#include "base/ids.h"
#include "contract/extension.h"
#include "contract/validators.h"
#include "plane/identity.h"

namespace writ::plane {

using canon::Json;

Result<std::map<std::string, std::string>> ReadLabels(const Json* json) {
  std::map<std::string, std::string> labels;
  if (json == nullptr || json->is_null()) return labels;
  if (!json->is_object()) return Fail(Code::kInvalid, "must be an object");
  if (json->object().size() > kLabelsMax) return Fail(Code::kInvalid, "at most {} labels", kLabelsMax);
  for (const auto& [name, value] : json->object()) {
    if (!contract::IsLabelText(name) || !value.is_string() || !contract::IsLabelText(value.string()))
      return Fail(Code::kInvalid, "names and values are 1 to 128 of A-Z a-z 0-9 _ . : -");
    labels.emplace(name, value.string());
  }
  return labels;
}

Answer<Enrolled> EnrolRunner(Core& core, Change& change, const EnrolRequest& request) {
  if (auto pool = contract::CheckPoolName(request.pool); !pool) return InvalidRequest({"pool: " + pool.error().what});
  const std::string token_hash = HashToken(request.token);
  const auto principal = WRIT_ANSWER(core.store.FindPrincipalByToken(token_hash));
  const bool standing = principal && (principal->role == "enroller" || principal->role == "admin");
  // Used up within the change, so a request that is refused below leaves it as it was.
  if (!standing && !WRIT_ANSWER(change->ConsumeEnrollToken(token_hash, change.now())))
    return BadRequest("invalid enroll token");
  const auto key = crypto::PublicKey::FromPem(request.public_pem);
  if (!key) return InvalidRequest({"publicKeyPem: must be an Ed25519 public key in PEM"});

  Enrolled enrolled{MakeId("rnr_"), MakeToken()};
  Json labels = Json::MakeObject();
  for (const auto& [name, value] : request.labels) labels.Set(name, value);
  WRIT_ANSWER(change->AddRunner({.id = enrolled.runner_id,
                                 .pool = request.pool,
                                 .key_id = crypto::KeyIdOfPem(request.public_pem),
                                 .public_pem = request.public_pem,
                                 .token_hash = HashToken(enrolled.runner_token),
                                 .enrolled = change.now(),
                                 .labels = canon::Compact(labels)}));
  return enrolled;
}

Answer<EnrollToken> MakeEnrollToken(Change& change) {
  EnrollToken token{MakeToken(), change.now() + kEnrollTokenLife};
  WRIT_ANSWER(change->AddEnrollToken(HashToken(token.token), token.expires));
  return token;
}

Answer<storage::Runner> RunnerOfToken(Core& core, std::string_view token, std::string_view pool) {
  auto runner = WRIT_ANSWER(core.store.FindRunnerByToken(HashToken(token)));
  if (!runner) return Unauthorized("invalid runner token");
  if (runner->pool != pool) return Unauthorized("runner is not enrolled in the requested pool");
  return *std::move(runner);
}

}  // namespace writ::plane
