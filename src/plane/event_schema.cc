#include "plane/event_schema.h"

#include <algorithm>
#include <array>

#include "contract/parts.h"
#include "crypto/digest.h"

namespace writ::plane {

using canon::Json;

namespace {

enum class Kind : unsigned char { kNone, kText, kHash, kInteger, kDecision, kDirection, kFailure, kActor };

struct MemberRule {
  std::string_view name{};
  Kind kind = Kind::kNone;
};
struct Type {
  std::string_view name;
  std::array<MemberRule, 3> members{};
};
// What a runner may write. The rest is the plane's own: run.created, checkpoint.created, policy.evaluated, consent.*,
// run.claimed, secret.released.
constexpr Type kTypes[] = {
    {"workspace.materialized", {{{"manifestHash", Kind::kHash}}}},
    {"network.connected", {{{"host", Kind::kText}, {"decision", Kind::kDecision}}}},
    {"command.executed", {{{"argvHash", Kind::kHash}, {"exitCode", Kind::kInteger}}}},
    {"file.changed", {{{"path", Kind::kText}, {"contentHash", Kind::kHash}}}},
    {"artifact.created", {{{"kind", Kind::kText}, {"hash", Kind::kHash}}}},
    {"boundary.crossed",
     {{{"direction", Kind::kDirection}, {"contentHash", Kind::kHash}, {"dataClass", Kind::kText}}}},
    {"model.called", {{{"provider", Kind::kText}, {"model", Kind::kText}}}},
    {"run.completed", {}},
    {"run.failed", {{{"failure", Kind::kFailure}, {"message", Kind::kText}}}},
    {"run.cancelled", {{{"actor", Kind::kActor}}}},
};
constexpr std::string_view kPlaneTypes[] = {"run.created",      "checkpoint.created", "policy.evaluated",
                                            "consent.requested", "consent.granted",   "run.claimed",
                                            "secret.released",  "writ.run.requeued"};

bool IsInteger(const Json& value) {
  if (!value.is_number()) return false;
  const double number = value.number();
  return number >= -9007199254740992.0 && number <= 9007199254740992.0 &&
         number == static_cast<double>(static_cast<std::int64_t>(number));
}

std::string Judge(const Json* value, const MemberRule& member) {
  const auto says = [&](std::string_view text) { return fmt::format("{}: {}", member.name, text); };
  if (value == nullptr) return says("is missing");
  if (member.kind == Kind::kInteger) return IsInteger(*value) ? "" : says("must be a whole number");
  if (member.kind == Kind::kActor) {
    const auto actor = contract::DecodeActor(*value);
    return actor ? "" : actor.error().what;
  }
  if (!value->is_string()) return says("must be a string");
  const std::string& text = value->string();
  switch (member.kind) {
    case Kind::kHash: return crypto::IsHash(text) ? "" : says("must be 64 lower-case hex characters");
    case Kind::kDecision: return text == "allowed" || text == "blocked" ? "" : says("must be allowed or blocked");
    case Kind::kDirection: return text == "in" || text == "out" ? "" : says("must be in or out");
    case Kind::kFailure: return contract::IsFailureClass(text) ? "" : says("is no failure class");
    default: return "";
  }
}

}  // namespace

std::string EventProblem(const Json& event) {
  if (!event.is_object()) return "must be an object";
  const std::string* type = event.FindString("type");
  if (type == nullptr) return "type: must be a string";
  if (std::ranges::find(kPlaneTypes, *type) != std::end(kPlaneTypes))
    return fmt::format("type: {} is written by the plane only", *type);
  const Json* writ = event.Find("writ");
  if (writ != nullptr && !writ->is_object()) return "writ: must be an object";
  if (type->starts_with("writ.")) return writ != nullptr && type->size() <= 128 ? "" : "writ: is missing";
  const auto* known = std::ranges::find(kTypes, std::string_view(*type), &Type::name);
  if (known == std::end(kTypes)) return "type: is none that a runner writes";
  for (const auto& member : known->members) {
    if (member.kind == Kind::kNone) break;
    if (auto problem = Judge(event.Find(member.name), member); !problem.empty()) return problem;
  }
  return "";
}

bool IsRemembered(std::string_view type) {
  return type == "artifact.created" || type == "boundary.crossed" || type == "network.connected" ||
         type == "model.called" || type == "writ.output.collected" || type == "writ.output.missing" ||
         type == "writ.output.undeclared" || type == "writ.outputs.recorded" || type == "writ.changes.recorded" ||
         type == "writ.stream.kept" || type == "writ.stream.truncated";
}

}  // namespace writ::plane
