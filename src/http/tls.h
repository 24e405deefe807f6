#pragma once

#include <memory>

#include "base/error.h"
#include "http/any_stream.h"
#include "http/server.h"

namespace writ::http {

/// TLS 1.2 or 1.3 with the given certificate; OpenSSL's configuration file is not read. Errors: kInvalid for files that
/// cannot be read or do not belong together, with their names.
Result<std::shared_ptr<asio::ssl::context>> MakeTls(const TlsFiles& files);

}  // namespace writ::http
