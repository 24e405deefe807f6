#include "policy/schema.h"

#include <algorithm>
#include <cmath>

#include "base/escape.h"
#include "base/nearest.h"
#include "base/utf8.h"

namespace writ::policy {
namespace {

using canon::Json;
using enum Shape;
using enum Part;

constexpr std::size_t kNameBytesMax = 4096;

constexpr std::string_view kAgentKinds[] = {"claude-code", "codex", "pi", "mock", "command"};
constexpr std::string_view kTiers[] = {"process", "wasm", "oci", "microvm"};
constexpr std::string_view kAllowDeny[] = {"allow", "deny"};
constexpr std::string_view kWhen[] = {"any-run", "secret-release", "agent-kind"};

constexpr Field kRunners[] = {
    {.name = "allowPools", .member = "allowPools", .shape = kTexts},
    {.name = "legacy", .member = "legacy", .part = kExtension, .words = kAllowDeny},
};
constexpr Field kAgents[] = {{.name = "allow", .member = "allow", .shape = kTexts, .words = kAgentKinds}};
constexpr Field kTierFields[] = {
    {.name = "allow", .member = "allow", .shape = kTexts, .part = kExtension, .words = kTiers}};
constexpr Field kLimits[] = {
    {.name = "wall-time", .member = "wallTimeMs", .shape = kLimit, .part = kExtension},
    {.name = "cpu-time", .member = "cpuTimeMs", .shape = kLimit, .part = kExtension},
    {.name = "cpus", .member = "cpuMillis", .shape = kLimit, .part = kExtension},
    {.name = "memory", .member = "memoryBytes", .shape = kLimit, .part = kExtension},
    {.name = "pids", .member = "pids", .shape = kLimit, .part = kExtension},
    {.name = "files", .member = "openFiles", .shape = kLimit, .part = kExtension},
    {.name = "stdout", .member = "stdoutBytes", .shape = kLimit, .part = kExtension},
    {.name = "stderr", .member = "stderrBytes", .shape = kLimit, .part = kExtension},
    {.name = "disk", .member = "diskBytes", .shape = kLimit, .part = kExtension},
    {.name = "inodes", .member = "inodes", .shape = kLimit, .part = kExtension},
};
constexpr Field kTools[] = {
    {.name = "deny", .member = "deny", .shape = kTexts, .part = kExtension, .null_widens = true}};
constexpr Field kIdentities[] = {
    {.name = "id", .member = "id", .part = kExtension, .required = true},
    {.name = "tools", .member = "tools", .shape = kTexts, .part = kExtension},
};
constexpr Field kDataClasses[] = {
    {.name = "dataClass", .member = "dataClass", .required = true},
    {.name = "allowPools", .member = "allowPools", .shape = kTexts},
};
constexpr Field kNetwork[] = {
    {.name = "defaultDeny", .member = "defaultDeny", .shape = kBool},
    {.name = "allowHosts", .member = "allowHosts", .shape = kTexts},
};
constexpr Field kEgress[] = {
    {.name = "rules", .member = "rules", .shape = kTexts, .part = kExtension},
    {.name = "open", .member = "open", .shape = kBool, .part = kExtension},
    {.name = "budget", .member = "budgetBytes", .shape = kSize, .part = kExtension},
};
constexpr Field kReleasable[] = {
    {.name = "name", .member = "name", .required = true},
    {.name = "scope", .member = "scope", .required = true},
    {.name = "pools", .member = "pools", .shape = kTexts},
};
constexpr Field kSecrets[] = {
    {.name = "releasable", .member = "releasable", .shape = kList, .fields = kReleasable},
    {.name = "own", .member = "own", .part = kExtension, .words = kAllowDeny},
};
constexpr Field kBudget[] = {
    {.name = "maxSpendUsd", .member = "maxSpendUsd", .shape = kNumber},
    {.name = "maxDurationMin", .member = "maxDurationMin", .shape = kNumber},
};
constexpr Field kConsent[] = {
    {.name = "when", .member = "when", .required = true, .words = kWhen},
    {.name = "match", .member = "match", .words = kAgentKinds},
    {.name = "approvers", .member = "approvers", .shape = kTexts},
    {.name = "required", .member = "required", .shape = kCount, .part = kExtension},
    {.name = "notRequester", .member = "notRequester", .shape = kBool, .part = kExtension},
    {.name = "expires", .member = "expiresMs", .shape = kMillis, .part = kExtension},
};
constexpr Field kRetention[] = {
    {.name = "receiptsDays", .member = "receiptsDays", .shape = kNumber},
    {.name = "artifactsDays", .member = "artifactsDays", .shape = kNumber},
};
constexpr Field kPolicy[] = {
    {.name = "name", .member = "name", .part = kExtension},
    {.name = "runners", .member = "runners", .shape = kMap, .fields = kRunners},
    {.name = "agents", .member = "agents", .shape = kMap, .fields = kAgents},
    {.name = "tiers", .member = "tiers", .shape = kMap, .part = kExtension, .fields = kTierFields},
    {.name = "limits", .member = "limits", .shape = kMap, .part = kExtension, .fields = kLimits},
    {.name = "accept", .member = "accept", .shape = kTexts, .part = kExtension},
    {.name = "tools", .member = "tools", .shape = kMap, .part = kExtension, .fields = kTools},
    {.name = "identities", .member = "identities", .shape = kList, .part = kExtension, .fields = kIdentities},
    {.name = "dataClasses", .member = "dataClasses", .shape = kList, .fields = kDataClasses},
    {.name = "network", .member = "network", .shape = kMap, .fields = kNetwork},
    {.name = "egress", .member = "egress", .shape = kMap, .part = kExtension, .fields = kEgress},
    {.name = "secrets", .member = "secrets", .shape = kMap, .fields = kSecrets},
    {.name = "budget", .member = "budget", .shape = kMap, .fields = kBudget},
    {.name = "consent", .member = "consent", .shape = kList, .null_widens = true, .fields = kConsent},
    {.name = "retention", .member = "retention", .shape = kMap, .fields = kRetention},
};

bool Full(const std::vector<Problem>& problems) { return problems.size() >= kProblemsMax; }

bool IsWhole(double value, double most) { return value >= 1 && value <= most && std::floor(value) == value; }

double LimitMost(std::string_view member) {
  for (const LimitField& limit : LimitFields()) {
    if (limit.member == member) return static_cast<double>(limit.most);
  }
  return 0;
}

void CheckText(const Json& value, const Field& field, const std::string& path, std::vector<Problem>& problems) {
  if (!value.is_string()) {
    Report(problems, true, path, "must be a string");
    return;
  }
  if (const std::string objection = NameObjection(value.string()); !objection.empty()) {
    Report(problems, true, path, objection);
    return;
  }
  if (field.words.empty() || std::ranges::find(field.words, value.string()) != field.words.end()) return;
  Report(problems, true, path,
         fmt::format("\"{}\" is not one of {}{}", value.string(), fmt::join(field.words, ", "),
                     DidYouMean(value.string(), field.words)));
}

void CheckValue(const Json& value, const Field& field, Part part, const std::string& path,
                std::vector<Problem>& problems) {
  const bool container = field.shape == kTexts || field.shape == kList || field.shape == kMap;
  if (value.is_null() && container) {
    const bool list = field.shape != kMap;
    if (field.null_widens) {
      Report(problems, true, path, "is null; an empty list here would allow more, so write [] if that is meant");
    } else {
      Report(problems, false, path, list ? "is null and allows nothing; write [] if that is meant" : "is empty");
    }
    return;
  }
  switch (field.shape) {
    case kText:
      CheckText(value, field, path, problems);
      return;
    case kBool:
      if (!value.is_bool()) Report(problems, true, path, "must be true or false");
      return;
    case kNumber:
      if (!value.is_number() || !std::isfinite(value.number()) || value.number() < 0) {
        Report(problems, true, path, "must be a number of at least 0");
      }
      return;
    case kCount:
    case kMillis:
    case kSize:
      if (!value.is_number() || !IsWhole(value.number(), 9007199254740991.0)) {
        Report(problems, true, path, "must be a whole number of at least 1");
      }
      return;
    case kLimit:
      if (!value.is_number() || !IsWhole(value.number(), LimitMost(field.member))) {
        Report(problems, true, path,
               fmt::format("must be a whole number from 1 to {:.0f}; zero never means unlimited",
                           LimitMost(field.member)));
      }
      return;
    case kMap:
      CheckShape(value, field.fields, part, path, {}, problems);
      return;
    case kTexts:
    case kList:
      break;
  }
  if (!value.is_array()) {
    Report(problems, true, path, field.shape == kTexts ? "must be a list of strings" : "must be a list of objects");
    return;
  }
  for (std::size_t i = 0; i < value.array().size() && !Full(problems); ++i) {
    const Json& item = value.array()[i];
    if (field.shape == kTexts) {
      CheckText(item, field, ItemPath(path, i), problems);
    } else {
      CheckShape(item, field.fields, part, ItemPath(path, i), {}, problems);
    }
  }
}

}  // namespace

std::span<const Field> PolicyFields() { return kPolicy; }

bool Belongs(const Field& field, Part part) {
  if (field.part == part) return true;
  return field.part == kBase && std::ranges::any_of(field.fields, [&](const Field& f) { return Belongs(f, part); });
}

void CheckShape(const Json& object, std::span<const Field> fields, Part part, const std::string& path,
                std::span<const std::string_view> known_elsewhere, std::vector<Problem>& problems) {
  if (!object.is_object()) {
    Report(problems, true, path, "must be an object");
    return;
  }
  std::vector<std::string_view> known(known_elsewhere.begin(), known_elsewhere.end());
  for (const Field& field : fields) {
    if (!Belongs(field, part)) continue;
    known.push_back(field.member);
    const Json* value = object.Find(field.member);
    if (value != nullptr) {
      CheckValue(*value, field, part, MemberPath(path, field.member), problems);
    } else if (field.required && field.part == part) {
      Report(problems, true, MemberPath(path, field.member), "is missing");
    }
  }
  for (const auto& [name, value] : object.object()) {
    if (Full(problems)) break;  // finding neighbours for a megabyte of names would take minutes
    if (std::ranges::find(known, name) != known.end()) continue;
    Report(problems, true, MemberPath(path, name), "is not a key of a policy" + DidYouMean(name, known));
  }
}

std::string MemberPath(const std::string& path, std::string_view name) {
  return path.empty() ? std::string(name) : fmt::format("{}.{}", path, name);
}

std::string ItemPath(const std::string& path, std::size_t index) { return fmt::format("{}[{}]", path, index); }

void Report(std::vector<Problem>& problems, bool fatal, std::string path, std::string text) {
  if (problems.size() >= kProblemsMax) return;
  if (problems.size() == kProblemsMax - 1) {
    // Reading stops here, so nobody knows what the rest says: such a policy is not usable.
    problems.push_back({.fatal = true, .path = {}, .text = fmt::format("has {} problems or more", kProblemsMax)});
    return;
  }
  problems.push_back({.fatal = fatal, .path = std::move(path), .text = std::move(text)});
}

std::string NameObjection(std::string_view name) {
  if (name.empty()) return "must not be empty";
  if (name.size() > kNameBytesMax) return fmt::format("is longer than {} bytes", kNameBytesMax);
  for (std::size_t at = 0; at < name.size();) {
    const Utf8Step step = DecodeUtf8(name, at);
    if (!step.valid) return "is not valid UTF-8";
    if (IsHiddenCodePoint(step.code)) {
      return fmt::format("has the character U+{:04X}, which does not show", static_cast<std::uint32_t>(step.code));
    }
    at += step.bytes;
  }
  return {};
}

}  // namespace writ::policy
