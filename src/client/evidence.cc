#include "client/evidence.h"

#include "client/plane_answers.h"
#include "crypto/digest.h"

namespace writ::client {
namespace {

using canon::Json;

std::string TextAt(const Json& json, std::string_view object, std::string_view member) {
  const Json* inner = json.Find(object);
  const std::string* text = inner ? inner->FindString(member) : nullptr;
  return text ? *text : std::string();
}

/// Calls `see` with the `event` member of each chained event.
template <class F>
void EachEvent(const Json& bundle, F see) {
  const Json* events = bundle.Find("events");
  if (!events || !events->is_array()) return;
  for (const Json& entry : events->array()) {
    if (const Json* event = entry.Find("event"); event && event->is_object()) see(*event);
  }
}

}  // namespace

Result<Evidence> JudgeBundle(Json bundle, std::string_view run_id, const PlaneTrust& trust, const RunAsk* ask, const Clock& clock) {
  Evidence evidence;
  contract::Pins pins;
  pins.plane = trust.pins;
  evidence.verification = contract::VerifyBundle(bundle, pins);
  auto& problems = evidence.verification.problems;
  if (TextAt(bundle, "contract", "runId") != run_id) problems.push_back("the bundle is of another run than was asked for");
  if (ask && problems.empty()) {
    for (auto& mismatch : Mismatches(*bundle.Find("contract"), *ask)) problems.push_back(std::move(mismatch));
  }
  if (const auto key = crypto::PublicKey::FromPem(TextAt(bundle, "keys", "planePublicKeyPem"))) {
    evidence.plane_key_id = key->KeyId();
    // Only a bundle that holds says whose key the plane's is.
    if (problems.empty() && trust.pins.empty() && trust.known) {
      const KeyTrust known = WRIT_TRY("plane key", trust.known->Check(trust.url, *key, clock.Now()));
      evidence.first_use = known == KeyTrust::kFirstUse;
      evidence.verification.pinned = !evidence.first_use;
    }
  }
  evidence.bundle = std::move(bundle);
  return evidence;
}

Result<Evidence> FetchEvidence(remote::PlaneConnection& plane, std::string_view run_id, const PlaneTrust& trust, const RunAsk* ask,
                               const Clock& clock) {
  if (!IsRunId(run_id)) return Fail(Code::kInvalid, "what was given is no run id");
  Json bundle = WRIT_TRY("bundle", plane.Get(fmt::format("/v1/runs/{}/bundle", run_id)));
  return JudgeBundle(std::move(bundle), run_id, trust, ask, clock);
}

std::string ArtifactHash(const Json& bundle, std::string_view kind) {
  std::string hash;
  EachEvent(bundle, [&](const Json& event) {
    const std::string *type = event.FindString("type"), *of = event.FindString("kind"), *value = event.FindString("hash");
    if (type && *type == "run.claimed") hash.clear();
    if (type && *type == "artifact.created" && of && *of == kind && value && crypto::IsHash(*value)) hash = *value;
  });
  return hash;
}

KeptStream StreamKept(const Json& bundle, std::string_view stream) {
  KeptStream kept;
  EachEvent(bundle, [&](const Json& event) {
    const std::string* type = event.FindString("type");
    const Json* facts = event.Find("writ");
    if (type && *type == "run.claimed") kept = {};
    if (!type || *type != "writ.stream.kept" || !facts) return;
    const std::string *name = facts->FindString("stream"), *hash = facts->FindString("sha256");
    const Json* bytes = facts->Find("bytes");
    if (!name || *name != stream || !hash || !crypto::IsHash(*hash) || !bytes || !bytes->is_number()) return;
    if (bytes->number() >= 0 && bytes->number() <= 9007199254740991.0) kept = {*hash, static_cast<std::uint64_t>(bytes->number())};
  });
  return kept;
}

}  // namespace writ::client
