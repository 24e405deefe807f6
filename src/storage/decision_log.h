#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "storage/store.h"

namespace writ::storage {

/// One entry of the decision log, ready to be stored.
struct DecisionEntry {
  std::string text;  ///< canonical JSON of the whole entry
  std::string hash;  ///< the new head
};
/// Makes the entry that follows `head`. Its form is that of an event chain (docs/formats/store.md), so whatever can
/// verify the events of a run can verify the log. Errors: those of canon::Canonical.
Result<DecisionEntry> MakeDecisionEntry(const DecisionHead& head, const NewDecision& decision);

}  // namespace writ::storage
