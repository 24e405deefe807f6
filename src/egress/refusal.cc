#include "egress/refusal.h"

#include "base/escape.h"

namespace writ::egress {
namespace {

std::string_view ReasonPhrase(int status) {
  switch (status) {
    case 400:
      return "Bad Request";
    case 403:
      return "Forbidden";
    case 408:
      return "Request Timeout";
    case 414:
      return "URI Too Long";
    case 431:
      return "Request Header Fields Too Large";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Error";
  }
}

}  // namespace

std::string HttpDate(WallTime time) {
  static constexpr std::string_view kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::string_view kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(std::chrono::floor<std::chrono::seconds>(time - day));
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", kDays[std::chrono::weekday(day).c_encoding()],
                     static_cast<unsigned>(date.day()), kMonths[static_cast<unsigned>(date.month()) - 1],
                     static_cast<int>(date.year()), clock.hours().count(), clock.minutes().count(),
                     clock.seconds().count());
}

std::string Answer(int status, std::string_view body, WallTime now, bool http10, bool head_only, After after) {
  std::string answer = fmt::format("HTTP/1.1 {} {}\r\nDate: {}\r\nConnection: {}\r\n", status, ReasonPhrase(status),
                                   HttpDate(now), after == After::kClose ? "close" : "keep-alive");
  if (http10) {
    answer += fmt::format("Content-Length: {}\r\n\r\n{}", body.size(), head_only ? std::string_view() : body);
  } else {
    answer += "Transfer-Encoding: chunked\r\n\r\n";
    if (!head_only) answer += fmt::format("{:x}\r\n{}\r\n0\r\n\r\n", body.size(), body);
  }
  return answer;
}

std::string RefusalBody(const policy::EgressVerdict& verdict, bool explain) {
  std::string body = "blocked by warrant egress policy";
  if (!explain) return body;
  body += fmt::format("\nrule: {}\n", EscapeVisible(verdict.rule));
  if (!verdict.reason.empty()) body += fmt::format("reason: {}\n", EscapeVisible(verdict.reason));
  if (!verdict.smallest_grant.empty())
    body += fmt::format("smallest grant: {}\n", EscapeVisible(verdict.smallest_grant));
  return body;
}

}  // namespace writ::egress
