#pragma once

#include <string>
#include <string_view>

#include "crypto/secret.h"

namespace writ::secrets {

/// A secret that a job never holds: it has the placeholder, and the proxy puts the value into requests to `host`.
struct EdgeSecret {
  std::string name;
  crypto::SecretBytes value;
  std::string host;
  std::string placeholder;
};

/// `writ-secret-NAME-` and 32 hex digits from the kernel's random bytes: what nobody can guess, and nobody needs to
/// keep secret.
std::string MakePlaceholder(std::string_view name);

}  // namespace writ::secrets
