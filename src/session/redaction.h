#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "canon/json.h"
#include "secrets/redactor.h"

namespace writ::session {

/// What must not leave a run; null when it was given no secret.
using Redaction = std::shared_ptr<const secrets::RedactionPatterns>;

/// What the receipt says under `enforced.redaction` when secrets were released (docs/formats/secrets.md).
inline constexpr std::string_view kRedactionMechanism = "values-and-encodings";

inline std::string Redact(const Redaction& redaction, std::string_view text) {
  return redaction == nullptr ? std::string(text) : secrets::RedactText(redaction, text);
}

/// The texts of an event that a job has a say in: names of files, messages, reasons. Digests, ids and words of the
/// protocol stay: a value cannot get there, and four bytes of one may stand in a digest by accident.
void RedactEvent(const Redaction& redaction, canon::Json& event);

}  // namespace writ::session
