#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"
#include "net/http1.h"

namespace writ::egress {

class Http2Session;

/// Fields that came on a stream, pseudo-header fields (":path") among them.
struct Http2Head {
  enum class Kind : std::uint8_t { kRequest, kResponse, kTrailers };
  Kind kind = Kind::kRequest;
  net::Http1Fields fields;
  bool last = false;       ///< nothing follows on the stream
  bool too_large = false;  ///< over a limit: `fields` is not all
};

/// What goes into one DATA frame.
struct Http2Piece {
  std::size_t bytes = 0;
  bool last = false;          ///< of the body
  net::Http1Fields trailers;  ///< `last`: follow
  bool failed = false;        ///< the stream must be reset
};

/// Who is told what a session reads, and asked what it may send. May queue frames on any session, but neither Receive
/// nor Send. Streams are reset, and connections ended, that break the protocol (RFC 9113) without asking.
class Http2Events {
 public:
  virtual ~Http2Events() = default;
  /// False: everything is over, the session must not go on.
  virtual bool OnHead(Http2Session& session, std::int32_t stream, Http2Head head) = 0;
  /// Every byte has to be given back by Credit, sooner or later.
  virtual bool OnData(Http2Session& session, std::int32_t stream, std::string_view bytes) = 0;
  virtual void OnLast(Http2Session& session, std::int32_t stream) = 0;      ///< the peer's last of a stream came
  virtual void OnLastSent(Http2Session& session, std::int32_t stream) = 0;  ///< our last of a stream was sent
  virtual void OnClosed(Http2Session& session, std::int32_t stream, std::uint32_t code) = 0;
  virtual void OnGoAway(Http2Session& session) = 0;  ///< the peer takes no more streams
  /// The next bytes of a body that was announced; none and not last: wait for Resume.
  virtual Http2Piece Pull(Http2Session& session, std::int32_t stream, std::span<char> to) = 0;
};

/// One HTTP/2 connection as bytes in and bytes out. Bounded: streams, header lists, frames and memory by the constants
/// below; frames that cost more than they carry (resets, pings, settings, priorities, empty data) by an allowance that
/// grows with time; CONTINUATION by number and size. Memory is wiped when it is given back: it held secrets.
class Http2Session {
 public:
  enum class Role : std::uint8_t { kServer, kClient };
  static constexpr std::uint32_t kStreamsMax = 128;
  static constexpr std::uint32_t kHeaderListMax = 64U << 10;      ///< bytes as RFC 9113 section 6.5.2 counts them
  static constexpr std::size_t kFieldsMax = 100;
  static constexpr std::uint32_t kFrameMax = 16U << 10;           ///< bytes of payload
  static constexpr std::uint32_t kStreamWindow = 64U << 10;       ///< bytes of body that wait on one stream
  static constexpr std::uint32_t kConnectionWindow = 1U << 20;    ///< bytes of all bodies that wait
  static constexpr std::size_t kMemoryMax = 4U << 20;             ///< bytes that the library may hold
  static constexpr unsigned kContinuationsMax = 16;               ///< of one header block
  static constexpr double kAllowance = 1000, kAllowancePerS = 100;  ///< costly frames: at once, and per second
  static constexpr double kResetCost = 2;

  /// `events` is borrowed. Errors: kInternal when the library cannot.
  static Result<std::unique_ptr<Http2Session>> Make(Role role, Http2Events& events, MonoTime now);
  ~Http2Session();
  Http2Session(const Http2Session&) = delete;
  Http2Session& operator=(const Http2Session&) = delete;

  /// Takes in what was read. Errors: the peer broke a rule or a limit; what Send has yet may be sent, nothing else.
  Result<> Receive(std::string_view bytes, MonoTime now);
  /// Appends to `out` what is to be sent, until it holds `bytes_max` or more. True: something was appended.
  Result<bool> Send(std::string& out, std::size_t bytes_max);
  /// Whether neither side has anything to say any more.
  bool over() const;
  /// Since when a header block has been incomplete, or the peer's first frame has not come; MonoTime::max() if neither.
  MonoTime waits_since() const { return waits_since_; }

  /// Opens a stream (client). `body`: Pull is asked. `secret`: fields are never indexed. Errors: kExhausted.
  Result<std::int32_t> Request(const net::Http1Fields& fields, bool body, bool secret);
  /// The final head of a response (server).
  void Respond(std::int32_t stream, const net::Http1Fields& fields, bool body);
  void Interim(std::int32_t stream, const net::Http1Fields& fields);
  void Resume(std::int32_t stream);
  void Reset(std::int32_t stream, std::uint32_t code);
  /// `bytes` of a stream's body are done with: the peer may send as many more. `stream` 0: of one that is gone.
  void Credit(std::int32_t stream, std::size_t bytes);
  /// Takes no more streams; those under way go on.
  void GoAway();
  /// Whether the peer may still send on the stream.
  bool PeerMaySend(std::int32_t stream) const;

  struct Parts;

 private:
  explicit Http2Session(std::unique_ptr<Parts> parts);
  friend struct Http2Callbacks;
  std::unique_ptr<Parts> parts_;
  MonoTime waits_since_;
};

/// Codes of RFC 9113 section 7 that are chosen here.
inline constexpr std::uint32_t kHttp2NoError = 0, kHttp2InternalError = 2, kHttp2RefusedStream = 7, kHttp2Cancel = 8;

}  // namespace writ::egress
