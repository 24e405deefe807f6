// Event streams: server-sent events here, WebSocket messages in web_socket.cc.
#include <utility>

#include "http/connection.h"
#include "http/event_queue.h"

namespace writ::http {
namespace {

constexpr std::size_t kBatchBytes = 64 << 10;  // sent at once

void AppendChunk(std::string& out, std::string_view text, bool chunked) {
  if (chunked) out += net::ChunkHeader(text.size());
  out += text;
  if (chunked) out += "\r\n";
}

/// Lines of their own for every line of the data (HTML Standard section 9.2).
std::string EventText(const EventQueue::Item& item) {
  std::string text;
  if (!item.id.empty()) text += fmt::format("id: {}\n", item.id);
  if (!item.name.empty()) text += fmt::format("event: {}\n", item.name);
  std::string_view rest = item.data;
  for (;;) {
    const std::size_t end = rest.find_first_of("\r\n");
    text += fmt::format("data: {}\n", rest.substr(0, end));
    if (end == rest.npos) break;
    rest.remove_prefix(end + 1);
  }
  return text + "\n";
}

}  // namespace

void Connection::Follow(bool web_socket) {
  if (core_.counters.followers >= core_.options.limits.followers_max) return Refuse(503, "too many event streams at once; try again");
  wants_web_socket_ = web_socket;
  events_ = std::make_shared<EventQueue>(core_.weak_from_this(), id_, core_.options.limits.follower_backlog_max);
  ++core_.counters.followers;
  sending_events_ = true;  // until the answer's head is out
  core_.service.Follow(TakeCall(), events_, [weak = core_.weak_from_this(), id = id_](std::optional<api::PlaneReply> refusal) {
    const auto core = weak.lock();
    if (core == nullptr) return;
    core->Post(id, [refusal = std::move(refusal)](Connection& connection) mutable { connection.FollowAllowed(std::move(refusal)); });
  });
}

void Connection::FollowAllowed(std::optional<api::PlaneReply> refusal) {
  if (events_ == nullptr) return;  // the server is stopping
  if (refusal) {
    events_->Gone();
    events_.reset();
    --core_.counters.followers;
    sending_events_ = false;
    return Reply(*std::move(refusal));
  }
  answered_ = true;
  if (wants_web_socket_) return StartWebSocket();
  const bool chunked = head_.minor == 1;
  keep_open_ = false;  // from here on reading only tells whether the client is still there
  net::Http1Fields fields = {{"Content-Type", "text/event-stream"}, {"X-Accel-Buffering", "no"}};
  if (chunked) fields.push_back({"Transfer-Encoding", "chunked"});
  SendHead(200, std::move(fields));
  if (closed_) return;
  WriteOut(&Connection::EventsSent);
  ReadMore(&Connection::FollowerBytes);
}

/// Followers have nothing to say.
void Connection::FollowerBytes() {}

void Connection::EventsWaiting() {
  if (events_ == nullptr || sending_events_) return;
  wants_web_socket_ ? SendMessages() : SendEvents();
}

void Connection::SendEvents() {
  const bool chunked = head_.minor == 1;
  std::string text;
  while (text.size() < kBatchBytes) {
    const auto item = events_->Take();
    if (!item) break;
    text += EventText(*item);
  }
  if (text.empty()) {
    if (draining_ || events_->Ended()) return EndFollow();
    return Arm(core_.options.limits.ping);
  }
  sending_events_ = true;
  record_.bytes_out += text.size();
  AppendChunk(out_, text, chunked);
  WriteOut(&Connection::EventsSent);
}

void Connection::EventsSent() {
  sending_events_ = false;
  if (events_ == nullptr) return Finish();
  SendEvents();
}

void Connection::Ping() {
  if (wants_web_socket_) return;  // has pings of its own
  sending_events_ = true;
  AppendChunk(out_, ": here\n\n", head_.minor == 1);
  WriteOut(&Connection::EventsSent);
}

void Connection::EndFollow() {
  if (events_ == nullptr || sending_events_) return;
  const std::string why = events_->Ended().value_or("the server stops");
  events_->Gone();
  events_.reset();
  --core_.counters.followers;
  if (why == "slow") record_.cause = "the follower was too slow";
  const bool chunked = head_.minor == 1;
  AppendChunk(out_, EventText({"", "end", why}), chunked);
  if (chunked) out_ += net::kLastChunk;
  WriteOut(&Connection::Finish);
}

}  // namespace writ::http
