// A WebSocket that carries events to its client, one message for each: {"id":..., "event":..., "data":...}.
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <utility>

#include "canon/json.h"
#include "http/connection.h"
#include "http/event_queue.h"
#include "http/web_socket_side.h"

namespace writ::http {

namespace beast = boost::beast;
namespace websocket = boost::beast::websocket;

void Connection::StartWebSocket() {
  beast::http::request<beast::http::string_body> request;
  request.method_string(head_.method);
  request.target(head_.target);
  request.version(head_.minor == 1 ? 11 : 10);
  for (const auto& field : head_.fields) request.insert(field.name, field.value);
  if (!websocket::is_upgrade(request) || !in_.empty()) {  // a client waits for the answer before it goes on
    answered_ = false;
    wants_web_socket_ = false;
    events_->Gone();
    events_.reset();
    --core_.counters.followers;
    return Refuse(400, "the upgrade to WebSocket is not complete");
  }
  keep_open_ = false;
  record_.status = 101;
  web_socket_ = std::make_unique<WebSocketSide>(stream_);
  auto& socket = web_socket_->stream;
  const Limits& limits = core_.options.limits;
  // Pings keep the connection known to be alive; a client that answers none of them is closed.
  socket.set_option(websocket::stream_base::timeout{limits.head, limits.ping * 2, true});
  socket.set_option(websocket::stream_base::decorator([](websocket::response_type& response) { response.erase("Server"); }));
  socket.read_message_max(limits.frame_bytes_max);
  socket.async_accept(request, [self = shared_from_this()](ErrorCode error) {
    if (self->closed_) return;
    if (error) return self->Close();
    self->sending_events_ = false;
    self->ReadMessages();
    self->SendMessages();
  });
}

/// Clients have nothing to say; what they send is read, bounded and forgotten, so that pings and closes are seen.
void Connection::ReadMessages() {
  if (closed_) return;
  web_socket_->stream.async_read(web_socket_->input, [self = shared_from_this()](ErrorCode error, std::size_t bytes) {
    if (self->closed_) return;
    if (error) return self->Close();
    self->record_.bytes_in += bytes;
    self->web_socket_->input.consume(self->web_socket_->input.size());
    if (self->record_.bytes_in > self->core_.options.limits.frame_bytes_max) {  // of the whole connection: nothing is expected
      self->record_.cause = "the client talks too much";
      return self->Close();
    }
    self->ReadMessages();
  });
}

void Connection::SendMessages() {
  if (closed_ || events_ == nullptr) return;
  const auto item = events_->Take();
  if (!item) {
    const auto ended = events_->Ended();
    if (!ended && !draining_) return;
    sending_events_ = true;
    Arm(core_.options.limits.write_pause);
    const std::string why = ended.value_or("the server stops").substr(0, 120);
    return web_socket_->stream.async_close(websocket::close_reason(websocket::close_code::normal, why),
                                           [self = shared_from_this()](ErrorCode) { self->Close(); });
  }
  sending_events_ = true;
  Arm(core_.options.limits.write_pause);
  web_socket_->message = canon::Compact(canon::Json::Of({{"id", item->id}, {"event", item->name}, {"data", item->data}}));
  web_socket_->stream.async_write(asio::buffer(web_socket_->message), [self = shared_from_this()](ErrorCode error, std::size_t bytes) {
    if (self->closed_) return;
    if (error) return self->Close();
    self->Disarm();
    self->record_.bytes_out += bytes;
    self->sending_events_ = false;
    self->SendMessages();
  });
}

}  // namespace writ::http
