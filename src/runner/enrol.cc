#include "runner/enrol.h"

#include "base/escape.h"
#include "runner/lines.h"

namespace writ::runner {
namespace {

using canon::Json;

Json LabelsJson(const Options& options) {
  Json labels = Json::MakeObject();
  for (const auto& [name, value] : options.labels) labels.Set(name, value);
  return labels;
}

Result<std::string> AnswerText(const Json& answer, std::string_view name) {
  const std::string* text = answer.FindString(name);
  if (text == nullptr || text->empty()) return Fail(Code::kCorrupt, "enrolment: the plane's answer has no {}", name);
  return *text;
}

}  // namespace

Result<Identity> Enrol(const Options& options, remote::PlaneConnection& plane) {
  auto known = WRIT_TRY("runner directory", ReadIdentity(options.dir));
  if (known) {
    if (known->pool != options.pool)
      return Fail(Code::kInvalid, "the identity in {} is of pool {}, not of {}; a runner belongs to one pool for ever: use another directory",
                  options.dir, EscapeVisible(known->pool), options.pool);
    return *std::move(known);
  }
  if (options.enroll_token.empty()) return Fail(Code::kDenied, "runner is not enrolled and no enroll token was provided");

  auto key = WRIT_TRY("runner directory", ReadOrMakeKey(options.dir));
  const Json request = Json::Of({{"enrollToken", options.enroll_token},
                                 {"publicKeyPem", key.public_key().Pem()},
                                 {"pool", options.pool},
                                 {"writ", Json::Of({{"v", 1}, {"labels", LabelsJson(options)}})}});
  const Deadline until = Deadline::After(options.enroll_patience);
  for (;;) {
    const auto answer = plane.Post("/v1/runners/enroll", request, kCallTimeout);
    if (answer) {
      Identity identity{.runner_id = WRIT_TRY("enrol", AnswerText(*answer, "runnerId")),
                        .runner_token = WRIT_TRY("enrol", AnswerText(*answer, "runnerToken")),
                        .pool = options.pool,
                        .plane_pem = "",
                        .extended = false,
                        .key = std::move(key)};
      if (const Json* writ = answer->Find("writ")) {
        identity.extended = true;
        if (const auto* pem = writ->FindString("planePublicKeyPem")) identity.plane_pem = *pem;
      }
      [[maybe_unused]] const auto checked = WRIT_TRY("enrol", PlaneKeyOf(options, identity));
      WRIT_TRY("enrol", StoreIdentity(options.dir, identity));
      return identity;
    }
    const bool unreachable = plane.last_answer().status == 0 &&
                             (answer.error().code == Code::kUnavailable || answer.error().code == Code::kDeadline);
    if (!unreachable || until.Passed()) return std::unexpected(Error(answer.error()).Doing("enrol"));
    if (auto waited = plane.http().Pause(options.enroll_retry); !waited) return std::unexpected(std::move(waited).error().Doing("enrol"));
  }
}

Result<std::optional<crypto::PublicKey>> PlaneKeyOf(const Options& options, const Identity& identity) {
  std::optional<crypto::PublicKey> told;
  if (!identity.plane_pem.empty()) told = WRIT_TRY("the plane's key", crypto::PublicKey::FromPem(identity.plane_pem));
  if (options.plane_key.empty()) return told;
  if (crypto::IsKeyId(options.plane_key)) {
    if (!told)
      return Fail(Code::kDenied, "this plane does not say its key, so the id {} is not enough: give the PEM file", options.plane_key);
    if (told->KeyId() != options.plane_key)
      return Fail(Code::kDenied, "the plane's key is {}, not {}", told->KeyId(), options.plane_key);
    return told;
  }
  const auto named = WRIT_TRY("--plane-key", crypto::PublicKey::FromPem(options.plane_key));
  if (told && *told != named)
    return Fail(Code::kDenied, "the plane says its key is {}, not {}", told->KeyId(), named.KeyId());
  return std::optional(named);
}

}  // namespace writ::runner
