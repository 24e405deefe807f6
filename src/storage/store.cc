#include "storage/store.h"

#include <array>

namespace writ::storage {
namespace {

constexpr std::array<std::string_view, 7> kStatusNames = {"created",   "claimed", "running",  "awaiting_approval",
                                                          "completed", "failed",  "cancelled"};
constexpr std::array<std::string_view, 5> kDecisionNames = {"allow", "deny", "ask", "approval", "refusal"};

template <class Enum, std::size_t count>
std::optional<Enum> FromName(const std::array<std::string_view, count>& names, std::string_view name) {
  for (std::size_t i = 0; i < count; ++i) {
    if (names[i] == name) return static_cast<Enum>(i);
  }
  return std::nullopt;
}

}  // namespace

std::string_view RunStatusName(RunStatus status) { return kStatusNames.at(static_cast<std::size_t>(status)); }
std::optional<RunStatus> RunStatusFromName(std::string_view name) { return FromName<RunStatus>(kStatusNames, name); }

std::string_view DecisionKindName(DecisionKind kind) { return kDecisionNames.at(static_cast<std::size_t>(kind)); }
std::optional<DecisionKind> DecisionKindFromName(std::string_view name) {
  return FromName<DecisionKind>(kDecisionNames, name);
}

}  // namespace writ::storage
