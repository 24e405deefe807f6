#include "net/authority.h"
#include "net/http1.h"
#include "net/http1_text.h"

namespace writ::net {
namespace {

using http1::Refuse;

std::string LowerText(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return lower;
}

Http1Result<Http1Target> ParseAbsolute(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return Refuse(400, "the target is neither a path nor a URL");
  Http1Target target;
  target.form = Http1Target::Form::kAbsolute;
  target.scheme = LowerText(text.substr(0, colon));
  if (target.scheme != "http" && target.scheme != "https" && target.scheme != "ws" && target.scheme != "wss") {
    return Refuse(400, "the target is not an http URL");
  }
  std::string_view rest = text.substr(colon + 1);
  if (!rest.starts_with("//")) return Refuse(400, "the target has no // after the scheme");
  rest.remove_prefix(2);
  const std::size_t end = std::min(rest.find_first_of("/?"), rest.size());
  auto authority = ParseAuthority(rest.substr(0, end));
  if (!authority) return Refuse(400, "the target names no valid host and port");
  target.host = std::move(authority->host);
  target.hostname = std::move(authority->hostname);
  target.port = authority->port;
  const std::string_view path = rest.substr(end);
  target.path = path.starts_with('/') ? std::string(path) : "/" + std::string(path);
  return target;
}

}  // namespace

Http1Result<Http1Target> ParseRequestTarget(const Http1RequestHead& head) {
  Http1Target target;
  if (head.method == "CONNECT") {
    target.form = Http1Target::Form::kAuthority;
    return target;
  }
  if (head.target.find('#') != std::string::npos) return Refuse(400, "the target has a fragment");
  if (head.target == "*") {
    if (head.method != "OPTIONS") return Refuse(400, "the target * is for OPTIONS only");
    target.form = Http1Target::Form::kAsterisk;
    return target;
  }
  if (!head.target.starts_with('/')) return ParseAbsolute(head.target);
  target.path = head.target;
  return target;
}

}  // namespace writ::net
