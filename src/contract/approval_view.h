#pragma once

#include <string>
#include <string_view>

#include "canon/json.h"

namespace writ::contract {

// A run that waits for consent, for the eyes of whoever answers (docs/formats/plane.md, "Approvals"). The object is
// `{runId, digest, policyHash, requirements, request, difference, createdAt, expiresAt}` as a plane or the local store
// gives it; its texts are hostile. Every member of `request` is shown, one value a line, so that nobody approves what
// he could not see: characters that do not show are escaped, runs of blanks and of empty lines are counted instead of
// printed, each word of a command stands on a line of its own in quotes, and what is not ASCII is said to be so, with
// the code points, because it may look like something else.

/// All of it. Lines have at most 100 columns. Ends with a line end. Works on any JSON.
std::string RenderApproval(const canon::Json& approval);

/// One line of a list: run, who asks, what for, what is needed, until when. Without a line end.
std::string RenderApprovalLine(const canon::Json& approval);

/// What is asked for now and was not part of the last approved run of this kind, and what is not asked for any more:
/// one line each, `+`, `-` or `~` first. For `difference` of the object.
std::string RenderDifference(const canon::Json& difference);

/// A text in quotes: EscapeVisible, quotes as `\"`, a run of four or more blanks as `\{N blanks}`.
std::string QuoteVisible(std::string_view text);

/// "" for plain ASCII; else `not ASCII: U+0430 U+0435 and 3 more`, and for a host name with a label that begins with
/// `xn--` that it stands for characters that are not ASCII.
std::string NotAsciiNote(std::string_view text);

}  // namespace writ::contract
