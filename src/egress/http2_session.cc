#include "egress/http2_session.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <array>

#include "base/freed_by.h"
#include "egress/http2_memory.h"

namespace writ::egress {
namespace {

std::string_view Text(const std::uint8_t* bytes, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

std::vector<nghttp2_nv> Names(const net::Http1Fields& fields, bool secret) {
  std::vector<nghttp2_nv> list;
  list.reserve(fields.size());
  for (const auto& field : fields) {
    const auto bytes = [](const std::string& text) {  // the library copies, and does not write
      return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
    };
    list.push_back({bytes(field.name), bytes(field.value), field.name.size(), field.value.size(),
                    static_cast<std::uint8_t>(secret ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE)});
  }
  return list;
}

}  // namespace

struct Http2Session::Parts {
  Http2Events* events = nullptr;
  Http2Session* owner = nullptr;
  Http2Memory memory{kMemoryMax};  // outlives the session
  std::unique_ptr<nghttp2_session, FreedBy<nghttp2_session_del>> session;
  Http2Head building;  // one header block at a time (RFC 9113 section 4.3)
  std::size_t list_bytes = 0, block_bytes = 0;
  unsigned continuations = 0;
  bool block_open = false, first_frame_came = false, server = false;
  double allowance = kAllowance;
  MonoTime now, refilled;
  std::string_view broken;  // the limit that was broken
};

/// The library's callbacks, with their owner.
struct Http2Callbacks {
  using Parts = Http2Session::Parts;
  static constexpr int kStop = NGHTTP2_ERR_CALLBACK_FAILURE;
  static Parts& Of(void* user) { return *static_cast<Parts*>(user); }

  static int Broken(Parts& parts, std::string_view what) {
    parts.broken = what;
    return kStop;
  }

  static int Charge(Parts& parts, double cost) {
    const double seconds = std::chrono::duration<double>(parts.now - parts.refilled).count();
    parts.refilled = parts.now;
    parts.allowance = std::min(Http2Session::kAllowance, parts.allowance + seconds * Http2Session::kAllowancePerS);
    parts.allowance -= cost;
    return parts.allowance < 0 ? Broken(parts, "too many frames that carry nothing") : 0;
  }

  static int OnBeginFrame(nghttp2_session*, const nghttp2_frame_hd* head, void* user) {
    Parts& parts = Of(user);
    parts.first_frame_came = true;
    const bool block = head->type == NGHTTP2_HEADERS || head->type == NGHTTP2_CONTINUATION;
    if (head->type == NGHTTP2_HEADERS) parts.block_bytes = 0, parts.continuations = 0;
    if (block) {
      parts.block_open = true;
      if (parts.owner->waits_since_ == MonoTime::max()) parts.owner->waits_since_ = parts.now;
      parts.block_bytes += head->length;
      if (parts.block_bytes > Http2Session::kHeaderListMax) return Broken(parts, "a header block is too large");
    }
    if (head->type == NGHTTP2_CONTINUATION) {
      return ++parts.continuations > Http2Session::kContinuationsMax ? Broken(parts, "too many CONTINUATION frames") : 0;
    }
    if (head->type == NGHTTP2_RST_STREAM) return Charge(parts, Http2Session::kResetCost);
    const bool empty = head->type == NGHTTP2_DATA && head->length == 0 && (head->flags & NGHTTP2_FLAG_END_STREAM) == 0;
    const bool carries = block || head->type == NGHTTP2_WINDOW_UPDATE || (head->type == NGHTTP2_DATA && !empty);
    return carries ? 0 : Charge(parts, 1);
  }

  static int OnBeginHeaders(nghttp2_session*, const nghttp2_frame*, void* user) {
    Of(user).building = {};
    Of(user).list_bytes = 0;
    return 0;
  }

  static int OnHeader(nghttp2_session*, const nghttp2_frame*, const std::uint8_t* name, std::size_t name_size,
                      const std::uint8_t* value, std::size_t value_size, std::uint8_t, void* user) {
    Parts& parts = Of(user);
    parts.list_bytes += name_size + value_size + 32;
    Http2Head& head = parts.building;
    if (parts.list_bytes > 4 * std::size_t{Http2Session::kHeaderListMax}) return Broken(parts, "a header list is too large");
    head.too_large |= parts.list_bytes > Http2Session::kHeaderListMax || head.fields.size() >= Http2Session::kFieldsMax;
    if (!head.too_large) head.fields.push_back({std::string(Text(name, name_size)), std::string(Text(value, value_size))});
    return 0;
  }

  static int OnFrame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    Parts& parts = Of(user);
    const std::int32_t stream = frame->hd.stream_id;
    const bool last = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (frame->hd.type == NGHTTP2_GOAWAY) parts.events->OnGoAway(*parts.owner);
    if (frame->hd.type == NGHTTP2_HEADERS) {
      parts.block_open = false;
      parts.owner->waits_since_ = MonoTime::max();
      Http2Head head = std::exchange(parts.building, {});
      const auto kind = frame->headers.cat;
      head.kind = kind == NGHTTP2_HCAT_REQUEST ? Http2Head::Kind::kRequest : Http2Head::Kind::kResponse;
      const bool status = !head.fields.empty() && head.fields.front().name == ":status";
      if (kind == NGHTTP2_HCAT_HEADERS && !status) head.kind = Http2Head::Kind::kTrailers;
      head.last = last;
      if (!parts.events->OnHead(*parts.owner, stream, std::move(head))) return kStop;
    }
    if (last && (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA)) {
      parts.events->OnLast(*parts.owner, stream);
    }
    return 0;
  }

  static int OnData(nghttp2_session*, std::uint8_t, std::int32_t stream, const std::uint8_t* bytes, std::size_t size,
                    void* user) {
    Parts& parts = Of(user);
    return parts.events->OnData(*parts.owner, stream, Text(bytes, size)) ? 0 : kStop;
  }

  static int OnSent(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    Parts& parts = Of(user);
    const bool ends = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (ends && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
      parts.events->OnLastSent(*parts.owner, frame->hd.stream_id);
    }
    return 0;
  }

  static int OnStreamClose(nghttp2_session*, std::int32_t stream, std::uint32_t code, void* user) {
    Parts& parts = Of(user);
    parts.events->OnClosed(*parts.owner, stream, code);
    return 0;
  }

  static ssize_t Read(nghttp2_session* session, std::int32_t stream, std::uint8_t* buffer, std::size_t size,
                      std::uint32_t* flags, nghttp2_data_source*, void* user) {
    Parts& parts = Of(user);
    const Http2Piece piece = parts.events->Pull(*parts.owner, stream, {reinterpret_cast<char*>(buffer), size});
    if (piece.failed) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    if (piece.last) {
      *flags |= NGHTTP2_DATA_FLAG_EOF;
      if (!piece.trailers.empty()) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        const auto list = Names(piece.trailers, true);  // values may be in them
        if (::nghttp2_submit_trailer(session, stream, list.data(), list.size()) != 0) {
          return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
        }
      }
    }
    return piece.bytes == 0 && !piece.last ? ssize_t{NGHTTP2_ERR_DEFERRED} : static_cast<ssize_t>(piece.bytes);
  }

  static constexpr nghttp2_data_provider kBody{{0}, Read};
};

Http2Session::Http2Session(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) { parts_->owner = this; }
Http2Session::~Http2Session() = default;

Result<std::unique_ptr<Http2Session>> Http2Session::Make(Role role, Http2Events& events, MonoTime now) {
  std::unique_ptr<Http2Session> made(new Http2Session(std::make_unique<Parts>()));
  made->waits_since_ = now;
  Parts& parts = *made->parts_;
  parts.events = &events;
  parts.now = parts.refilled = now;
  parts.server = role == Role::kServer;
  nghttp2_session_callbacks* raw_callbacks = nullptr;
  nghttp2_option* raw_option = nullptr;
  const bool room = ::nghttp2_session_callbacks_new(&raw_callbacks) == 0 && ::nghttp2_option_new(&raw_option) == 0;
  const std::unique_ptr<nghttp2_session_callbacks, FreedBy<nghttp2_session_callbacks_del>> callbacks(raw_callbacks);
  const std::unique_ptr<nghttp2_option, FreedBy<nghttp2_option_del>> option(raw_option);
  if (!room) return Fail(Code::kInternal, "no memory for an HTTP/2 session");
  ::nghttp2_session_callbacks_set_on_begin_frame_callback(raw_callbacks, Http2Callbacks::OnBeginFrame);
  ::nghttp2_session_callbacks_set_on_begin_headers_callback(raw_callbacks, Http2Callbacks::OnBeginHeaders);
  ::nghttp2_session_callbacks_set_on_header_callback(raw_callbacks, Http2Callbacks::OnHeader);
  ::nghttp2_session_callbacks_set_on_frame_recv_callback(raw_callbacks, Http2Callbacks::OnFrame);
  ::nghttp2_session_callbacks_set_on_data_chunk_recv_callback(raw_callbacks, Http2Callbacks::OnData);
  ::nghttp2_session_callbacks_set_on_frame_send_callback(raw_callbacks, Http2Callbacks::OnSent);
  ::nghttp2_session_callbacks_set_on_stream_close_callback(raw_callbacks, Http2Callbacks::OnStreamClose);
  ::nghttp2_option_set_no_auto_window_update(raw_option, 1);
  ::nghttp2_option_set_no_closed_streams(raw_option, 1);
  ::nghttp2_option_set_peer_max_concurrent_streams(raw_option, kStreamsMax);
  nghttp2_mem memory = parts.memory.Functions();
  nghttp2_session* session = nullptr;
  const auto make = parts.server ? ::nghttp2_session_server_new3 : ::nghttp2_session_client_new3;
  if (make(&session, raw_callbacks, &parts, raw_option, &memory) != 0) {
    return Fail(Code::kInternal, "no memory for an HTTP/2 session");
  }
  parts.session.reset(session);
  std::array<nghttp2_settings_entry, 5> settings{{{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, kStreamsMax},
                                                  {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kStreamWindow},
                                                  {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, kFrameMax},
                                                  {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, kHeaderListMax},
                                                  {NGHTTP2_SETTINGS_ENABLE_PUSH, 0}}};
  const std::size_t count = parts.server ? 4 : 5;  // a server may say nothing of pushing but 0, a client only here
  const bool ready =
      ::nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings.data(), count) == 0 &&
      ::nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0, std::int32_t{kConnectionWindow}) == 0;
  if (!ready) return Fail(Code::kInternal, "an HTTP/2 session cannot begin");
  return made;
}

Result<> Http2Session::Receive(std::string_view bytes, MonoTime now) {
  parts_->now = now;
  const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
  const ssize_t taken = ::nghttp2_session_mem_recv(parts_->session.get(), data, bytes.size());
  if (parts_->first_frame_came && !parts_->block_open) waits_since_ = MonoTime::max();
  if (taken == static_cast<ssize_t>(bytes.size())) return {};
  ::nghttp2_session_terminate_session(parts_->session.get(), parts_->broken.empty() ? NGHTTP2_PROTOCOL_ERROR
                                                                                     : NGHTTP2_ENHANCE_YOUR_CALM);
  if (!parts_->broken.empty()) return Fail(Code::kExhausted, "HTTP/2: {}", parts_->broken);
  return Fail(Code::kInvalid, "HTTP/2: {}", ::nghttp2_strerror(static_cast<int>(taken)));
}

Result<bool> Http2Session::Send(std::string& out, std::size_t bytes_max) {
  bool any = false;
  while (out.size() < bytes_max) {
    const std::uint8_t* bytes = nullptr;
    const ssize_t count = ::nghttp2_session_mem_send(parts_->session.get(), &bytes);
    if (count < 0) return Fail(Code::kExhausted, "HTTP/2: {}", ::nghttp2_strerror(static_cast<int>(count)));
    if (count == 0) break;
    out += Text(bytes, static_cast<std::size_t>(count));
    any = true;
  }
  return any;
}

bool Http2Session::over() const {
  nghttp2_session* session = parts_->session.get();
  return ::nghttp2_session_want_read(session) == 0 && ::nghttp2_session_want_write(session) == 0;
}

Result<std::int32_t> Http2Session::Request(const net::Http1Fields& fields, bool body, bool secret) {
  const auto list = Names(fields, secret);
  const std::int32_t stream =
      ::nghttp2_submit_request(parts_->session.get(), nullptr, list.data(), list.size(),
                               body ? &Http2Callbacks::kBody : nullptr, nullptr);
  if (stream < 0) return Fail(Code::kExhausted, "HTTP/2: {}", ::nghttp2_strerror(stream));
  return stream;
}

// What cannot be queued below is a stream that is gone, or no memory, which the next Send tells.

void Http2Session::Respond(std::int32_t stream, const net::Http1Fields& fields, bool body) {
  const auto list = Names(fields, false);
  const int queued = ::nghttp2_submit_response(parts_->session.get(), stream, list.data(), list.size(),
                                               body ? &Http2Callbacks::kBody : nullptr);
  if (queued != 0) Reset(stream, kHttp2InternalError);
}

void Http2Session::Interim(std::int32_t stream, const net::Http1Fields& fields) {
  const auto list = Names(fields, false);
  static_cast<void>(::nghttp2_submit_headers(parts_->session.get(), NGHTTP2_FLAG_NONE, stream, nullptr, list.data(),
                                             list.size(), nullptr));
}

void Http2Session::Resume(std::int32_t stream) {
  static_cast<void>(::nghttp2_session_resume_data(parts_->session.get(), stream));
}

void Http2Session::Reset(std::int32_t stream, std::uint32_t code) {
  static_cast<void>(::nghttp2_submit_rst_stream(parts_->session.get(), NGHTTP2_FLAG_NONE, stream, code));
}

void Http2Session::Credit(std::int32_t stream, std::size_t bytes) {
  if (bytes == 0) return;
  nghttp2_session* session = parts_->session.get();
  static_cast<void>(stream == 0 ? ::nghttp2_session_consume_connection(session, bytes)
                                : ::nghttp2_session_consume(session, stream, bytes));
}

void Http2Session::GoAway() {
  nghttp2_session* session = parts_->session.get();
  const std::int32_t last = ::nghttp2_session_get_last_proc_stream_id(session);
  static_cast<void>(::nghttp2_submit_goaway(session, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, nullptr, 0));
}

bool Http2Session::PeerMaySend(std::int32_t stream) const {
  return ::nghttp2_session_get_stream_remote_close(parts_->session.get(), stream) == 0;
}

}  // namespace writ::egress
