#pragma once

#include <string>

#include "canon/json.h"
#include "contract/bundle.h"

namespace writ::contract {

/// The verdict alone, one line without a line end: `VERIFIED run_...: completed`, `consistent, keys not pinned: ...`
/// or `NOT VALID: 2 problems`.
std::string VerdictLine(const canon::Json& bundle, const Verification& verification);

/// One screen about a bundle for people: the verdict, its problems and warnings, and the answers to who, what was asked,
/// what could it see, what happened, what changed. At most 80 columns; 24 lines unless there are many problems; every
/// text from the bundle is escaped (base/escape.h) and cut. Works on any JSON. Ends with a line end.
std::string RenderStory(const canon::Json& bundle, const Verification& verification);

/// `{"ok":bool,"pinned":bool,"problems":[...],"warnings":[...]}`
canon::Json ToJson(const Verification& verification);

}  // namespace writ::contract
