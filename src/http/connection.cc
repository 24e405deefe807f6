#include "http/connection.h"

#include <boost/asio/buffer.hpp>
#include <algorithm>
#include <utility>

#include "http/event_queue.h"
#include "http/web_socket_side.h"

namespace writ::http {
namespace {

constexpr std::size_t kSmallPiece = 4 << 10;    // while a head is read; also what an idle connection costs
constexpr std::size_t kWritePiece = 256 << 10;  // a deadline counts for each
constexpr std::size_t kLingerBytes = 1 << 20;

}  // namespace

Connection::Connection(ServerCore& core, std::uint64_t id, asio::ip::tcp::socket socket, std::string address)
    : core_(core),
      id_(id),
      peer_(std::move(address)),
      stream_(std::move(socket), core.tls),
      timer_(core.io),
      piece_(kSmallPiece),
      scanner_({.start_line_bytes_max = 16 << 10, .head_bytes_max = core.options.limits.head_bytes_max, .fields_max = 100}) {}

Connection::~Connection() = default;

void Connection::Start() {
  ErrorCode ignored;
  stream_.socket().set_option(asio::ip::tcp::no_delay(true), ignored);
  if (stream_.secure()) return Handshake();
  NextRequest();
}

void Connection::Handshake() {
  Arm(core_.options.limits.handshake);
  stream_.tls().async_handshake(asio::ssl::stream_base::server, [self = shared_from_this()](ErrorCode error) {
    if (error) return self->Close();
    self->NextRequest();
  });
}

void Connection::Close() {
  if (std::exchange(closed_, true)) return;
  Disarm();
  LeaveIdle();
  if (in_request_) Finish();
  if (gone_ != nullptr) gone_->store(true);
  if (events_ != nullptr) {
    events_->Gone();
    --core_.counters.followers;
    events_.reset();
  }
  ErrorCode ignored;
  stream_.socket().close(ignored);
  core_.Forget(*this);
}

void Connection::Drain() {
  draining_ = true;
  if (events_ != nullptr) return wants_web_socket_ ? EventsWaiting() : EndFollow();
  if (!in_request_ && out_.empty()) Close();
}

void Connection::Arm(Millis limit) {
  timer_.expires_after(limit);
  timer_.async_wait([weak = weak_from_this(), round = ++timer_round_](ErrorCode error) {
    const auto self = weak.lock();
    if (error || self == nullptr || self->timer_round_ != round || self->closed_) return;
    if (self->events_ != nullptr && !self->sending_events_) return self->Ping();
    ++self->core_.counters.deadlines_passed;
    if (self->record_.cause.empty()) self->record_.cause = "too slow";
    self->Close();
  });
}

void Connection::Disarm() {
  ++timer_round_;
  timer_.cancel();
}

void Connection::NextRequest() {
  if (closed_) return;
  scanner_.Reset();
  in_request_ = answered_ = false;
  record_ = {};
  head_ = {};
  target_ = {};
  std::string().swap(body_);
  gone_.reset();
  if (!reading_) {
    piece_.resize(kSmallPiece);
    piece_.shrink_to_fit();
  }
  if (draining_ || core_.stopping) return Close();
  if (in_.empty() && !first_) {
    Disarm();
    idle_ = true;
    idle_place_ = core_.idle.insert(core_.idle.end(), id_);
    ++core_.counters.connections_idle;
    if (core_.idle.size() > core_.options.limits.idle_max) core_.CloseOldestIdle();
    if (closed_) return;
    return ReadMore(&Connection::HeadBytes);
  }
  first_ = false;
  Arm(core_.options.limits.head);
  if (in_.empty()) return ReadMore(&Connection::HeadBytes);
  HeadBytes();
}

void Connection::LeaveIdle() {
  if (!std::exchange(idle_, false)) return;
  core_.idle.erase(idle_place_);
  --core_.counters.connections_idle;
}

void Connection::ReadMore(Step next) {
  after_in_ = next;
  if (std::exchange(reading_, true)) return;
  stream_.async_read_some(asio::buffer(piece_), [self = shared_from_this()](ErrorCode error, std::size_t bytes) {
    self->reading_ = false;
    if (self->closed_) return;
    if (error && self->gone_ != nullptr && self->after_in_ == &Connection::Watched) {
      // What was asked is still answered: the client may have closed only its own direction.
      self->gone_->store(true);
      self->keep_open_ = false;
      return;
    }
    if (error) return self->Close();
    self->in_.append(self->piece_.data(), bytes);
    ((*self).*(self->after_in_))();
  });
}

/// While the service is asked: only to notice a client that goes. A next request that comes meanwhile waits.
void Connection::Watch() {
  gone_ = std::make_shared<std::atomic<bool>>(false);
  if (in_.empty()) ReadMore(&Connection::Watched);
}

void Connection::Watched() {}

void Connection::HeadBytes() {
  if (idle_) {
    LeaveIdle();
    Arm(core_.options.limits.head);
  }
  const auto end = scanner_.Scan(in_);
  if (!end) return Refuse(end.error());
  if (!*end) return ReadMore(&Connection::HeadBytes);
  Disarm();
  const std::string text = in_.substr(0, **end);
  in_.erase(0, **end);
  Head(text);
}

void Connection::WriteOut(Step next) {
  after_out_ = next;
  out_at_ = 0;
  Written();
}

void Connection::Written() {
  if (closed_) return;
  if (out_at_ == out_.size()) {
    Disarm();
    out_.clear();
    if (out_.capacity() > kSmallPiece) std::string().swap(out_);
    return (this->*after_out_)();
  }
  Arm(core_.options.limits.write_pause);
  const std::size_t bytes = std::min(kWritePiece, out_.size() - out_at_);
  stream_.async_write_some(asio::buffer(out_.data() + out_at_, bytes), [self = shared_from_this()](ErrorCode error, std::size_t sent) {
    if (self->closed_) return;
    if (error) return self->Close();
    self->out_at_ += sent;
    self->core_.counters.bytes_out += sent;
    self->Written();
  });
}

/// Closing with unread bytes would reset the connection, and the peer would lose what it was told: it gets a moment.
void Connection::Linger() {
  ErrorCode ignored;
  stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  Arm(core_.options.limits.linger);
  body_until_ = MonoTime::max();
  record_.bytes_in = 0;
  LingerMore();
}

void Connection::LingerMore() {
  record_.bytes_in += in_.size();
  in_.clear();
  if (record_.bytes_in > kLingerBytes) return Close();
  ReadMore(&Connection::LingerMore);
}

}  // namespace writ::http
