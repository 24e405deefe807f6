#pragma once

#include <string>

namespace writ::net {

/// What OpenSSL has to say about the call that failed last in this thread, all of it, which is forgotten then. Without a
/// word of it the peer just went away. It may quote the peer: escape it.
std::string TlsErrors();

}  // namespace writ::net
