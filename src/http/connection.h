#pragma once

#include <atomic>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "http/any_stream.h"
#include "http/body_reader.h"
#include "http/core.h"
#include "http/target.h"
#include "net/http1.h"

namespace writ::http {

class EventQueue;

/// One client. Lives on the server's thread: read a head, judge it, read the body, ask the service, answer, again.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(ServerCore& core, std::uint64_t id, asio::ip::tcp::socket socket, std::string address);
  ~Connection();

  void Start();
  void Close();  ///< at once; idempotent
  /// The server stops: closes when idle, else after the answer that is due.
  void Drain();
  std::uint64_t id() const { return id_; }
  const std::string& peer() const { return peer_; }

  /// For EventQueue: something is waiting to be sent, or the stream has ended.
  void EventsWaiting();

 private:
  using Step = void (Connection::*)();
  struct BlobSource;
  struct BlobTarget;
  struct WebSocketSide;

  // connection.cc: bytes in and out
  void Handshake();
  void NextRequest();
  void ReadMore(Step next);
  void Watch();
  void Watched();
  void HeadBytes();
  void Arm(Millis limit);
  void Disarm();
  void WriteOut(Step next);
  void Written();
  void Linger();
  void LingerMore();
  void LeaveIdle();

  // exchange.cc: one request and its answer
  void Head(std::string_view text);
  void Route();
  void ReadBody(Step next);
  void BodyBytes();
  void CallService();
  bool Continue(Step next);
  void Refuse(unsigned status, std::string_view error);
  void Refuse(const net::Http1Refusal& refusal);
  void Reply(api::PlaneReply reply);
  void SendHead(unsigned status, net::Http1Fields fields);
  void Metrics();
  void Finish();
  api::PlaneCall TakeCall();
  Service::Reply ReplyHere();

  // blob_exchange.cc
  void Upload();
  void UploadAllowed();
  void UploadBytes();
  void UploadStored(Result<std::string> hash);
  void Download(std::string_view hash);
  void SendBlob();
  void BlobPiece(Result<std::string> piece);

  // follow_exchange.cc
  void Follow(bool web_socket);
  void FollowAllowed(std::optional<api::PlaneReply> refusal);
  void SendEvents();
  void FollowerBytes();
  void EventsSent();
  void EndFollow();
  void Ping();

  // web_socket.cc
  void StartWebSocket();
  void SendMessages();
  void ReadMessages();

  ServerCore& core_;
  const std::uint64_t id_;
  const std::string peer_;  ///< address of the socket's other end
  AnyStream stream_;
  asio::steady_timer timer_;
  std::uint64_t timer_round_ = 0;
  bool closed_ = false, draining_ = false, idle_ = false, first_ = true;
  std::list<std::uint64_t>::iterator idle_place_;

  std::vector<char> piece_;  // what one read may bring
  std::string in_;           // bytes not consumed yet
  std::string out_;          // bytes to send
  std::size_t out_at_ = 0;
  Step after_out_ = nullptr, after_in_ = nullptr;
  bool reading_ = false;  // a read is under way; `piece_` stays where it is
  std::shared_ptr<std::atomic<bool>> gone_;  // of the call that waits for the service; told when the client has gone
  net::Http1HeadScanner scanner_;

  // The request.
  net::Http1RequestHead head_;
  Target target_;
  std::string address_;  ///< of the client, as far as it is believed
  BodyReader reader_;
  bool keep_open_ = false, answered_ = false, expects_continue_ = false, in_request_ = false;
  std::string body_;
  Step after_body_ = nullptr;
  MonoTime began_{}, body_until_ = MonoTime::max();
  RequestRecord record_;

  std::shared_ptr<BlobTarget> target_blob_;
  std::shared_ptr<BlobSource> source_blob_;
  std::shared_ptr<EventQueue> events_;
  std::unique_ptr<WebSocketSide> web_socket_;
  bool wants_web_socket_ = false, sending_events_ = false;
};

}  // namespace writ::http
