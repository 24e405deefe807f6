#include "http/request_log.h"

#include <fmt/format.h>

#include "base/escape.h"
#include "canon/json.h"

namespace writ::http {
namespace {

constexpr std::size_t kWordColumns = 40, kTextColumns = 500;

double Milliseconds(const RequestRecord& record) { return static_cast<double>(record.took.count()) / 1000.0; }

}  // namespace

std::string JsonLine(const RequestRecord& record) {
  canon::Json line = canon::Json::MakeObject();
  line.Set("at", FormatTimestamp(record.at));
  line.Set("method", EscapeVisible(record.method, kWordColumns));
  line.Set("path", record.target);
  line.Set("status", record.status);
  line.Set("ms", Milliseconds(record));
  line.Set("bytesIn", record.bytes_in);
  line.Set("bytesOut", record.bytes_out);
  line.Set("address", EscapeVisible(record.address, kTextColumns));
  if (!record.caller.empty()) line.Set("caller", EscapeVisible(record.caller, kTextColumns));
  if (!record.cause.empty()) line.Set("cause", EscapeVisible(record.cause, kTextColumns));
  return canon::Compact(line);
}

std::string TextLine(const RequestRecord& record) {
  std::string line = fmt::format("{} {} {} {} {:.1f}ms {}", FormatTimestamp(record.at), record.status,
                                 EscapeVisible(record.method, kWordColumns), record.target, Milliseconds(record),
                                 EscapeVisible(record.address, kTextColumns));
  if (!record.caller.empty()) line += " " + EscapeVisible(record.caller, kTextColumns);
  if (!record.cause.empty()) line += ": " + EscapeVisible(record.cause, kTextColumns);
  return line;
}

}  // namespace writ::http
