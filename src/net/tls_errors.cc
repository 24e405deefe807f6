#include "net/tls_errors.h"

#include <fmt/format.h>
#include <openssl/err.h>

namespace writ::net {

std::string TlsErrors() {
  std::string text;
  while (const unsigned long error = ::ERR_get_error()) {
    const char* reason = ::ERR_reason_error_string(error);
    text += fmt::format("{}{}", text.empty() ? "" : "; ", reason == nullptr ? "unknown error" : reason);
  }
  return text.empty() ? "the connection was closed" : text;
}

}  // namespace writ::net
