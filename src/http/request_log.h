#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace writ::http {

/// What is written of one request: never a token, never a body, never the value of a query parameter.
struct RequestRecord {
  WallTime at{};
  std::string method;
  std::string target;  ///< LoggedTarget
  unsigned status = 0;
  std::chrono::microseconds took{};
  std::uint64_t bytes_in = 0, bytes_out = 0;
  std::string address;
  std::string caller;  ///< principal or runner; empty when nobody is known
  std::string cause;   ///< what went wrong, for whoever runs the server
};

/// One line without its end: an object, or words for a person. Whatever was sent stays one line.
std::string JsonLine(const RequestRecord& record);
std::string TextLine(const RequestRecord& record);

}  // namespace writ::http
