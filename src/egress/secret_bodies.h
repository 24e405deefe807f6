#pragma once

#include <memory>
#include <string_view>

#include "egress/body_flow.h"
#include "egress/edge_secrets.h"

namespace writ::egress {

/// Whether a value can stand in a field: a value of a secret may have line ends.
bool FitsField(std::string_view value);

/// Puts values into the body of a request. The filter is shared with whoever asks it why it refused (403).
std::unique_ptr<BodyFilter> PlaceholderBody(std::shared_ptr<PlaceholderFilter> filter);
/// Stands placeholders in for values in the body of an answer.
std::unique_ptr<BodyFilter> RedactedBody(const EdgeSecrets& secrets);

}  // namespace writ::egress
