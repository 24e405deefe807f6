#include "net/event_stream.h"

#include <utility>

namespace writ::net {

Result<bool> EventStreamReader::Push(std::string_view bytes, const EventSink& sink) {
  while (!bytes.empty()) {
    if (std::exchange(after_cr_, false) && bytes.front() == '\n') {
      bytes.remove_prefix(1);
      continue;
    }
    const std::size_t end = bytes.find_first_of("\r\n");
    const std::string_view part = bytes.substr(0, end);
    if (part.size() > kEventBytesMax - line_.size() || line_.size() + part.size() + event_.data.size() > kEventBytesMax) {
      return Fail(Code::kExhausted, "an event is larger than {} bytes", kEventBytesMax);
    }
    line_ += part;
    if (end == bytes.npos) return true;
    after_cr_ = bytes[end] == '\r';
    bytes.remove_prefix(end + 1);
    auto more = EndLine(sink);
    if (!more || !*more) return more;
  }
  return true;
}

Result<bool> EventStreamReader::EndLine(const EventSink& sink) {
  std::string line = std::exchange(line_, {});
  if (std::exchange(first_line_, false) && line.starts_with("\xef\xbb\xbf")) line.erase(0, 3);
  if (line.empty()) {
    ServerEvent event = event_;
    event_.name.clear();
    event_.data.clear();
    if (!std::exchange(has_data_, false)) return true;
    event.data.pop_back();  // the LF after the last line
    if (event.name.empty()) event.name = "message";
    return sink(event);
  }
  const std::size_t colon = line.find(':');
  const std::string_view field = std::string_view(line).substr(0, colon);
  std::string_view value = colon == line.npos ? std::string_view() : std::string_view(line).substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (field == "data") {
    event_.data.append(value).push_back('\n');
    has_data_ = true;
  } else if (field == "event") {
    event_.name = value;
  } else if (field == "id" && value.find('\0') == value.npos) {
    event_.id = value;
  }
  return true;
}

}  // namespace writ::net
