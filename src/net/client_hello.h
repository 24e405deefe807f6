#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "net/host_name.h"

namespace writ::net {

/// What a TLS client says in the clear before anything is encrypted.
struct ClientHello {
  std::optional<Host> server_name;  ///< normalised; absent when the client names no host
  std::vector<std::string> alpn;    ///< protocols in order of preference: "h2", "http/1.1"
  bool encrypted_client_hello =
      false;  ///< ECH, its GREASE form or its predecessor: the name seen may not be the real one
};

/// Reads the first message of a TLS connection from a buffer that grows. Each byte is looked at once; nothing is taken
/// from the buffer. The message may be cut into records, and records into reads, anywhere.
/// Source: RFC 8446 sections 4.1.2 and 5.1, RFC 6066 section 3, RFC 7301, RFC 9849.
class ClientHelloReader {
 public:
  enum class State : std::uint8_t {
    kNeedMore,
    kNotTls,  ///< the first bytes are no TLS record of a handshake; known from the first or second byte on
    kHello    ///< hello() has it
  };
  static constexpr std::size_t kMessageMax = 64 << 10;  ///< bytes; real ones have 200 to 4000
  static constexpr std::size_t kRecordsMax = 1024;      ///< records the message may be cut into

  /// `buffer` starts with the client's first byte and begins with what was passed before.
  /// Errors: kInvalid for what starts like TLS and is malformed, has two server names or one that is no host, or
  /// passes a limit. Then the connection must not be forwarded: another reader might see a name in it.
  Result<State> Read(std::string_view buffer);
  const ClientHello& hello() const { return hello_; }

 private:
  Result<bool> TakeRecords(std::string_view buffer);
  std::string message_;          // handshake bytes of the records so far
  std::size_t next_record_ = 0;  // where in the buffer it starts
  std::size_t records_ = 0;
  bool done_ = false;
  ClientHello hello_;
};

}  // namespace writ::net
