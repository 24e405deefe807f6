#include "http/counters.h"

#include <fmt/format.h>

#include <algorithm>

namespace writ::http {
namespace {

constexpr std::array<double, 7> kBounds = {0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10};

void Add(std::string& text, std::string_view name, std::string_view type, std::string_view help, std::uint64_t value) {
  text += fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n{0} {3}\n", name, help, type, value);
}

}  // namespace

void Counters::Finished(unsigned status, double seconds) {
  ++answers[std::min<std::size_t>(status / 100, answers.size() - 1)];
  for (std::size_t i = 0; i < kBounds.size(); ++i)
    if (seconds <= kBounds[i]) ++durations[i];
  ++durations.back();
  seconds_total += seconds;
}

std::string PrometheusText(const Counters& own) {
  std::string text = "# HELP writ_http_answers_total Answers by class of their status.\n# TYPE writ_http_answers_total counter\n";
  for (std::size_t i = 1; i < own.answers.size(); ++i) text += fmt::format("writ_http_answers_total{{class=\"{}xx\"}} {}\n", i, own.answers[i]);
  text += "# HELP writ_http_request_seconds How long requests took.\n# TYPE writ_http_request_seconds histogram\n";
  for (std::size_t i = 0; i < kBounds.size(); ++i)
    text += fmt::format("writ_http_request_seconds_bucket{{le=\"{}\"}} {}\n", kBounds[i], own.durations[i]);
  text += fmt::format("writ_http_request_seconds_bucket{{le=\"+Inf\"}} {0}\nwrit_http_request_seconds_sum {1}\nwrit_http_request_seconds_count {0}\n",
                      own.durations.back(), own.seconds_total);
  Add(text, "writ_http_connections_taken_total", "counter", "Connections accepted.", own.connections_taken);
  Add(text, "writ_http_connections_refused_total", "counter", "Connections closed at once because of a limit.", own.connections_refused);
  Add(text, "writ_http_connections_open", "gauge", "Connections now.", own.connections_open);
  Add(text, "writ_http_connections_idle", "gauge", "Connections that wait for a request.", own.connections_idle);
  Add(text, "writ_http_followers", "gauge", "Event streams now.", own.followers);
  Add(text, "writ_http_body_bytes_in_total", "counter", "Bytes of request bodies.", own.bytes_in);
  Add(text, "writ_http_body_bytes_out_total", "counter", "Bytes of answers.", own.bytes_out);
  Add(text, "writ_http_deadlines_passed_total", "counter", "Connections ended because a peer was too slow.", own.deadlines_passed);
  Add(text, "writ_http_messages_refused_total", "counter", "Messages that were no proper HTTP.", own.messages_refused);
  return text;
}

}  // namespace writ::http
