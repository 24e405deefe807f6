#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace writ::net {

/// One event of a text/event-stream.
struct ServerEvent {
  std::string id;    ///< the last one that was sent; may be empty
  std::string name;  ///< "message" when none was sent
  std::string data;  ///< data lines joined by LF
};
/// False ends the stream without an error.
using EventSink = std::function<Result<bool>(const ServerEvent& event)>;

/// Decodes a text/event-stream that comes in pieces. Comments and unknown fields are dropped; an event without data and
/// one that the end of the stream cuts off are none. Source: HTML Standard (WHATWG), section 9.2.6 "Interpreting an
/// event stream".
class EventStreamReader {
 public:
  static constexpr std::size_t kEventBytesMax = 4 << 20;  ///< all lines of one event together
  /// Calls `sink` for every event that is complete. Returns false as soon as `sink` does. Errors: kExhausted for an
  /// event over kEventBytesMax; those of `sink`.
  Result<bool> Push(std::string_view bytes, const EventSink& sink);

 private:
  Result<bool> EndLine(const EventSink& sink);
  std::string line_;
  ServerEvent event_;
  bool has_data_ = false;
  bool after_cr_ = false;
  bool first_line_ = true;
};

}  // namespace writ::net
