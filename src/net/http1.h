#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/host_name.h"

namespace writ::net {

/// One header field. Names keep their spelling; compare them with FieldNameIs.
struct Http1Field {
  std::string name, value;
  friend bool operator==(const Http1Field&, const Http1Field&) = default;
};
using Http1Fields = std::vector<Http1Field>;

struct Http1Limits {
  std::size_t start_line_bytes_max = 16 << 10;
  std::size_t head_bytes_max = 64 << 10;  ///< start line, fields and the empty line
  std::size_t fields_max = 100;
};

/// Why a message is not accepted. `status` is what a proxy answers to a request (400, 414, 431, 501, 505); for a
/// response the answer is 502 whatever it says. `reason` is free of message content.
struct Http1Refusal {
  unsigned status = 400;
  std::string reason;
  friend bool operator==(const Http1Refusal&, const Http1Refusal&) = default;
};
template <class T = void>
using Http1Result = std::expected<T, Http1Refusal>;

struct Http1RequestHead {
  std::string method;
  std::string target;  ///< as written: printable ASCII without spaces
  unsigned minor = 1;  ///< HTTP/1.0 or HTTP/1.1
  Http1Fields fields;
};

struct Http1ResponseHead {
  unsigned status = 0;  ///< 100..599
  std::string reason;   ///< may be empty
  unsigned minor = 1;
  Http1Fields fields;
};

/// Finds the end of a head in a buffer that grows. Each byte is looked at once, however small the pieces are.
/// What no message may have is refused as soon as it is seen: LF without CR, CR without LF, NUL and other control
/// characters, an empty first line, a line that starts with white space (folding), a limit that is passed.
class Http1HeadScanner {
 public:
  explicit Http1HeadScanner(Http1Limits limits = {}) : limits_(limits) {}
  /// `buffer` starts where the message starts and must begin with what was passed before. Returns the length of the
  /// head with its empty line, or nullopt when more bytes are needed.
  Http1Result<std::optional<std::size_t>> Scan(std::string_view buffer);
  void Reset() { *this = Http1HeadScanner(limits_); }  ///< for the next message of the connection

 private:
  Http1Result<bool> EndLine(std::size_t end);
  Http1Limits limits_;
  std::size_t scanned_ = 0;     // bytes looked at
  std::size_t line_start_ = 0;  // where the current line starts
  std::size_t lines_ = 0;       // complete lines
};

/// Reads a complete head, from Scan. Source: RFC 9112, without every leniency it permits: exactly one space between
/// the parts of the first line, no white space around a field name, no folding, one Host in HTTP/1.1 and at most one in
/// HTTP/1.0, no HTTP/0.9. HTTP/2 and above is status 505.
Http1Result<Http1RequestHead> ParseRequestHead(std::string_view head);
Http1Result<Http1ResponseHead> ParseResponseHead(std::string_view head);

/// Where a request goes.
struct Http1Target {
  enum class Form : std::uint8_t { kOrigin, kAbsolute, kAuthority, kAsterisk };
  Form form = Form::kOrigin;
  std::string scheme;                 ///< kAbsolute: "http", "https", "ws" or "wss"
  Host host;                          ///< kAbsolute
  std::string hostname;               ///< kAbsolute: as the URL standard's `hostname`
  std::optional<std::uint16_t> port;  ///< kAbsolute: when written
  std::string path;                   ///< kOrigin, kAbsolute: path and query, starts with /, dot segments untouched

  /// The port to connect to: the written one, or that of the scheme.
  std::uint16_t port_or_default() const { return port.value_or(scheme == "https" || scheme == "wss" ? 443 : 80); }
};

/// The target of a request. kAuthority is every CONNECT: give `target` of the head to ParseConnectAuthority. An
/// absolute URL needs `//`, a host that NormaliseHost accepts, no user information and no fragment. Errors: 400.
/// Source: RFC 9112 section 3.2.
Http1Result<Http1Target> ParseRequestTarget(const Http1RequestHead& head);

// Fields. Names are compared without case; a list item is compared without case and white space around it.
bool FieldNameIs(std::string_view name, std::string_view other);
/// The value of the first field of that name, or nullptr.
const std::string* FindField(const Http1Fields& fields, std::string_view name);
std::size_t CountFields(const Http1Fields& fields, std::string_view name);
void RemoveField(Http1Fields& fields, std::string_view name);
/// Replaces every field of that name by one, at the place of the first.
void SetField(Http1Fields& fields, std::string_view name, std::string_view value);
/// Whether one of the comma-separated items of the fields of that name is `item`.
bool HasListItem(const Http1Fields& fields, std::string_view name, std::string_view item);
/// Whether the connection stays open after this message, by version and Connection (RFC 9112 section 9.3).
bool KeepsOpen(unsigned minor, const Http1Fields& fields);

/// Removes what is meant for one connection only: Connection and every field it lists, Keep-Alive, TE,
/// Transfer-Encoding, Upgrade and every field that starts with Proxy-. Never removed, though listed: Host and
/// Content-Length. Take the framing (http1_body.h) and an Upgrade to be passed on before. Source: RFC 9110
/// section 7.6.1.
void RemoveHopByHop(Http1Fields& fields);

/// The bytes of a head with its empty line. Errors: 500 for a part that would not read back as it is (line ends,
/// control characters, an invalid name): a caller's mistake, not the peer's.
Http1Result<std::string> WriteRequestHead(const Http1RequestHead& head);
Http1Result<std::string> WriteResponseHead(const Http1ResponseHead& head);

}  // namespace writ::net
