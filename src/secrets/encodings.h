#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/bytes.h"

namespace writ::secrets {

/// One form in which a value may stand in text.
struct Form {
  std::string text;
  bool partial_after = false;  ///< base64: the digit after also carries bits of the value
};

/// Calls `take` with each form (docs/formats/secrets.md lists them), some more than once. The text is wiped afterwards.
void ForEachForm(ByteView value, const std::function<void(const Form&)>& take);

}  // namespace writ::secrets
