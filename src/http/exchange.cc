// One request and its answer: Connection from the parsed head to the last byte sent.
#include <algorithm>
#include <utility>

#include "base/escape.h"
#include "canon/json.h"
#include "http/connection.h"
#include "http/event_queue.h"
#include "http/ui_page.h"
#include "net/ip_address.h"

namespace writ::http {
namespace {

constexpr std::size_t kBodyPiece = 64 << 10;

std::string ErrorBody(std::string_view error) { return canon::Compact(canon::Json::Of({{"error", error}})); }

std::string_view Phrase(unsigned status) {
  switch (status) {
    case 200: return "OK";
    case 302: return "Found";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 409: return "Conflict";
    case 413: return "Content Too Large";
    case 429: return "Too Many Requests";
    case 503: return "Service Unavailable";
    default: return status < 400 ? "OK" : "Error";
  }
}

/// The address that the proxy in front saw, if it is one: the last of the last field. What stands before it may have
/// come with the request.
std::optional<std::string> ForwardedFor(const net::Http1Fields& fields) {
  std::string_view last;
  for (const auto& field : fields)
    if (net::FieldNameIs(field.name, "x-forwarded-for")) last = field.value;
  last.remove_prefix(last.rfind(',') + 1);  // npos + 1 is 0
  while (!last.empty() && (last.front() == ' ' || last.front() == '\t')) last.remove_prefix(1);
  while (!last.empty() && (last.back() == ' ' || last.back() == '\t')) last.remove_suffix(1);
  const auto address = net::IpAddress::FromText(last);
  return address ? std::optional(address->ToText()) : std::nullopt;
}

std::string_view FieldOr(const net::Http1Fields& fields, std::string_view name) {
  const std::string* value = net::FindField(fields, name);
  return value == nullptr ? std::string_view() : std::string_view(*value);
}

/// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 section 5.6.7).
std::string HttpDate(WallTime time) {
  const auto days = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(days);
  const std::chrono::hh_mm_ss clock(std::chrono::floor<std::chrono::seconds>(time - days));
  static constexpr std::string_view kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::string_view kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  return fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} GMT", kDays[std::chrono::weekday(days).c_encoding()],
                     static_cast<unsigned>(date.day()), kMonths[static_cast<unsigned>(date.month()) - 1], static_cast<int>(date.year()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count());
}

}  // namespace

void Connection::Head(std::string_view text) {
  in_request_ = true;
  began_ = core_.clock.Mono();
  record_.at = core_.clock.Now();
  record_.address = address_ = peer_;
  keep_open_ = false;
  expects_continue_ = false;
  auto head = net::ParseRequestHead(text);
  if (!head) return Refuse(head.error());
  head_ = *std::move(head);
  record_.method = head_.method;
  if (core_.options.trust_forwarded_for) record_.address = address_ = ForwardedFor(head_.fields).value_or(peer_);
  const auto form = net::ParseRequestTarget(head_);
  if (!form) return Refuse(form.error());
  if (form->form != net::Http1Target::Form::kOrigin) return Refuse(400, "the target is no path: this is no proxy");
  const auto body = net::RequestBody(head_);
  if (!body) return Refuse(body.error());
  auto target = SplitTarget(form->path);
  if (!target) return Refuse(400, target.error().what);
  target_ = *std::move(target);
  record_.target = LoggedTarget(target_);
  reader_ = BodyReader(*body);
  expects_continue_ = head_.minor == 1 && net::FindField(head_.fields, "expect") != nullptr;
  if (const auto refusal = CheckGate(core_.gate, head_, target_)) return Refuse(refusal->status, refusal->error);
  if (body->framing == net::BodyFraming::kLength && body->length_bytes > core_.options.limits.body_bytes_max) {
    return Refuse(413, "body too large");
  }
  if (body->framing == net::BodyFraming::kNone || (body->framing == net::BodyFraming::kLength && body->length_bytes == 0)) {
    reader_ = BodyReader();
    [[maybe_unused]] const auto ended = reader_.Next({});
    expects_continue_ = false;
  }
  keep_open_ = net::KeepsOpen(head_.minor, head_.fields);
  Route();
}

void Connection::Route() {
  const std::string_view path = target_.path;
  const bool get = head_.method == "GET" || head_.method == "HEAD";
  if (get && path == "/") return Reply({.status = 302, .content_type = "text/plain", .headers = {{"Location", "/ui/"}}});
  if (get && (path == "/ui" || path == "/ui/" || path == "/ui/index.html")) {
    return Reply({.content_type = "text/html; charset=utf-8",
                  .body = std::string(kUiPage),
                  .headers = {{"Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"},
                              {"X-Frame-Options", "DENY"},
                              {"Referrer-Policy", "no-referrer"}}});
  }
  if (get && path == "/healthz") return Reply({.body = R"({"ok":true})"});
  if (head_.method == "GET" && path == "/metrics") return Metrics();
  if (head_.method == "POST" && path == "/v1/blobs") return Upload();
  constexpr std::string_view kBlobs = "/v1/blobs/";
  if (get && path.starts_with(kBlobs)) return Download(path.substr(kBlobs.size()));
  if (head_.method == "GET" && path.starts_with("/v1/runs/") && path.ends_with("/stream")) {
    return Follow(net::HasListItem(head_.fields, "upgrade", "websocket"));
  }
  ReadBody(&Connection::CallService);
}

/// Writes "100 Continue" when the client waits for it; then `next`.
bool Connection::Continue(Step next) {
  if (!std::exchange(expects_continue_, false)) return false;
  out_ = "HTTP/1.1 100 Continue\r\n\r\n";
  WriteOut(next);
  return true;
}

void Connection::ReadBody(Step next) {
  after_body_ = next;
  if (reader_.done()) return (this->*after_body_)();
  if (Continue(&Connection::BodyBytes)) return;
  body_until_ = core_.clock.Mono() + core_.options.limits.body_total;
  BodyBytes();
}

void Connection::BodyBytes() {
  if (body_until_ == MonoTime::max()) body_until_ = core_.clock.Mono() + core_.options.limits.body_total;
  const Limits& limits = core_.options.limits;
  std::size_t used = 0;
  for (;;) {
    const auto step = reader_.Next(std::string_view(in_).substr(used));
    if (!step) return Refuse(step.error());
    used += step->consumed_bytes;
    if (body_.size() + step->data.size() > limits.body_bytes_max) return Refuse(413, "body too large");
    if (core_.bodies_bytes + step->data.size() > limits.bodies_bytes_max) return Refuse(503, "too many large requests at once; try again");
    body_ += step->data;
    core_.bodies_bytes += step->data.size();
    if (step->done || step->need_more) break;
  }
  in_.erase(0, used);
  record_.bytes_in = body_.size();
  if (reader_.done()) {
    Disarm();
    body_until_ = MonoTime::max();
    return (this->*after_body_)();
  }
  const auto left = std::chrono::duration_cast<Millis>(body_until_ - core_.clock.Mono());
  Arm(std::clamp(left, Millis(1), limits.body_pause));
  piece_.resize(kBodyPiece);
  ReadMore(&Connection::BodyBytes);
}

api::PlaneCall Connection::TakeCall() {
  api::PlaneCall call;
  call.method = head_.method;
  call.path = target_.path;
  call.query = std::move(target_.query);
  call.authorization = FieldOr(head_.fields, "authorization");
  call.idempotency_key = FieldOr(head_.fields, "idempotency-key");
  call.address = address_;
  core_.bodies_bytes -= body_.size();
  call.body = std::move(body_);
  body_.clear();
  return call;
}

Service::Reply Connection::ReplyHere() {
  return [weak = core_.weak_from_this(), id = id_](api::PlaneReply reply) {
    if (const auto core = weak.lock()) {
      core->Post(id, [reply = std::move(reply)](Connection& connection) mutable { connection.Reply(std::move(reply)); });
    }
  };
}

void Connection::CallService() {
  auto call = TakeCall();
  if (call.path == "/readyz") call.path = "/v1/ready";
  Watch();
  call.gone = gone_;
  core_.service.Call(std::move(call), ReplyHere());
}

void Connection::Metrics() {
  api::PlaneCall call = TakeCall();
  // A proxy may pass on what its client wrote there, so this address is never that of this machine.
  if (core_.options.trust_forwarded_for) call.address = "forwarded:" + call.address;
  core_.service.Call(std::move(call), [weak = core_.weak_from_this(), id = id_](api::PlaneReply reply) {
    const auto core = weak.lock();
    if (core == nullptr) return;
    core->Post(id, [reply = std::move(reply)](Connection& connection) mutable {
      if (reply.status == 200) reply.body += PrometheusText(connection.core_.counters);
      connection.Reply(std::move(reply));
    });
  });
}

void Connection::Refuse(const net::Http1Refusal& refusal) {
  ++core_.counters.messages_refused;
  keep_open_ = false;
  Refuse(refusal.status, refusal.reason);
}

void Connection::Refuse(unsigned status, std::string_view error) {
  if (!in_request_) {  // refused before its head was complete
    in_request_ = true;
    began_ = core_.clock.Mono();
    record_.at = core_.clock.Now();
    record_.address = peer_;
  }
  core_.bodies_bytes -= body_.size();
  body_.clear();
  reader_ = BodyReader({net::BodyFraming::kLength, 1});  // what is left of the message is not looked at
  Reply({.status = static_cast<int>(status), .body = ErrorBody(error)});
}

void Connection::Reply(api::PlaneReply reply) {
  if (std::exchange(answered_, true)) return;
  record_.caller = std::move(reply.caller);
  record_.cause = std::move(reply.cause);
  net::Http1Fields fields;
  if (!reply.content_type.empty()) fields.push_back({"Content-Type", reply.content_type});
  for (auto& [name, value] : reply.headers) fields.push_back({name, value});
  fields.push_back({"Content-Length", std::to_string(reply.body.size())});
  SendHead(static_cast<unsigned>(reply.status), std::move(fields));
  if (closed_) return;
  if (head_.method != "HEAD") out_ += reply.body;
  record_.bytes_out = out_.size();
  WriteOut(&Connection::Finish);
}

/// Puts the head of an answer into `out_`.
void Connection::SendHead(unsigned status, net::Http1Fields fields) {
  if (!reader_.done()) keep_open_ = false;  // the rest of the body is still to come
  if (draining_ || core_.stopping) keep_open_ = false;
  record_.status = status;
  fields.push_back({"Date", HttpDate(core_.clock.Now())});
  if (net::FindField(fields, "cache-control") == nullptr) fields.push_back({"Cache-Control", "no-store"});
  fields.push_back({"X-Content-Type-Options", "nosniff"});
  if (!keep_open_) fields.push_back({"Connection", "close"});
  else if (head_.minor == 0) fields.push_back({"Connection", "keep-alive"});
  auto text = net::WriteResponseHead({.status = status, .reason = std::string(Phrase(status)), .minor = 1, .fields = std::move(fields)});
  if (!text) {  // a field of the service that is no HTTP
    record_.status = 500;
    record_.cause = "the answer has a header that cannot be sent: " + text.error().reason;
    return Close();
  }
  out_ = *std::move(text);
}

/// The answer has been sent, or will never be.
void Connection::Finish() {
  if (!std::exchange(in_request_, false)) return;
  core_.bodies_bytes -= body_.size();
  body_.clear();
  core_.counters.bytes_in += record_.bytes_in;
  const auto took = core_.clock.Mono() - began_;
  record_.took = std::chrono::duration_cast<std::chrono::microseconds>(took);
  if (record_.status == 0 && record_.cause.empty()) record_.cause = "the client went away";
  core_.counters.Finished(record_.status, std::chrono::duration<double>(took).count());
  if (core_.options.log) core_.options.log(record_);
  target_blob_.reset();
  source_blob_.reset();
  if (closed_) return;
  if (keep_open_) return NextRequest();
  if (reader_.done() && in_.empty()) return Close();
  Linger();
}

}  // namespace writ::http
