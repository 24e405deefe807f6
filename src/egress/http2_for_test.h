#pragma once

#include <nghttp2/nghttp2.h>

#include <future>
#include <map>
#include <set>

#include "egress/tls_for_test.h"

/// Blocking clients and servers of HTTP/2 around a proxy.
namespace writ::egress::test {

using H2Fields = std::vector<std::pair<std::string, std::string>>;

/// One stream as a peer sees it.
struct H2Stream {
  std::map<std::string, std::string> fields, trailers;
  std::vector<std::string> interim;  ///< their statuses
  std::string body;
  bool ended = false;                 ///< the other side's last came
  std::optional<std::uint32_t> code;  ///< it is closed
  std::string to_send;
  std::size_t sent = 0;
  bool more = false;  ///< `to_send` is not all
  H2Fields trailers_to_send;
};

/// One side of an HTTP/2 connection. Reads only while it waits, so that what it does not wait for has to wait.
class H2Peer {
 public:
  enum class Role : std::uint8_t { kClient, kServer };
  H2Peer(std::unique_ptr<TlsPeer> peer, Role role, std::int32_t window = 1 << 20) : tls(std::move(peer)) {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, OnHeader);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, OnFrame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, OnData);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, OnClose);
    nghttp2_option* option = nullptr;
    nghttp2_option_new(&option);
    nghttp2_option_set_max_send_header_block_length(option, 1 << 20);
    const auto make = role == Role::kClient ? nghttp2_session_client_new2 : nghttp2_session_server_new2;
    make(&session, callbacks, this, option);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_settings_entry entry{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, static_cast<std::uint32_t>(window)};
    nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, &entry, 1);
    nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0, 16 << 20);
    Flush();
  }
  ~H2Peer() { nghttp2_session_del(session); }
  H2Peer(const H2Peer&) = delete;

  std::int32_t Request(const H2Fields& fields, std::optional<std::string> body = {}, bool more = false,
                       H2Fields trailers = {}) {
    const auto list = List(fields);
    const auto id = nghttp2_submit_request(session, nullptr, list.data(), list.size(), body ? &kBody : nullptr, nullptr);
    auto& stream = streams[id];
    stream.to_send = body.value_or("");
    stream.more = more;
    stream.trailers_to_send = std::move(trailers);
    Flush();
    return id;
  }
  std::int32_t Get(const std::string& path, const H2Fields& more = {}, const std::string& authority = "ok.test") {
    H2Fields fields = {{":method", "GET"}, {":scheme", "https"}, {":authority", authority}, {":path", path}};
    fields.insert(fields.end(), more.begin(), more.end());
    return Request(fields);
  }
  std::int32_t Post(const std::string& path, const std::string& body, const H2Fields& more = {}, bool open = false,
                    H2Fields trailers = {}) {
    H2Fields fields = {{":method", "POST"}, {":scheme", "https"}, {":authority", "ok.test"}, {":path", path}};
    fields.insert(fields.end(), more.begin(), more.end());
    return Request(fields, body, open, std::move(trailers));
  }
  void Respond(std::int32_t id, const H2Fields& fields, std::optional<std::string> body = {}, bool more = false,
               H2Fields trailers = {}) {
    auto& stream = streams[id];
    stream.to_send = body.value_or("");
    stream.more = more;
    stream.trailers_to_send = std::move(trailers);
    const auto list = List(fields);
    nghttp2_submit_response(session, id, list.data(), list.size(), body ? &kBody : nullptr);
    Flush();
  }
  void Interim(std::int32_t id, const H2Fields& fields) {
    const auto list = List(fields);
    nghttp2_submit_headers(session, NGHTTP2_FLAG_NONE, id, nullptr, list.data(), list.size(), nullptr);
    Flush();
  }
  void SendMore(std::int32_t id, const std::string& bytes, bool more) {
    streams[id].to_send += bytes;
    streams[id].more = more;
    nghttp2_session_resume_data(session, id);
    Flush();
  }
  void Reset(std::int32_t id, std::uint32_t code) {
    nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, code);
    Flush();
  }
  void GoAway() {
    nghttp2_submit_goaway(session, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(session), 0, nullptr, 0);
    Flush();
  }
  /// Reads until `done`. False: the connection ended before.
  template <class Done>
  bool Wait(Done done) {
    while (!done()) {
      Flush();
      const std::string bytes = tls->ReadSome(65536);
      if (bytes.empty()) return over = true, done();
      const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
      if (nghttp2_session_mem_recv(session, data, bytes.size()) < 0) return false;
    }
    Flush();
    return true;
  }
  /// The stream, once the other side has ended or closed it.
  H2Stream& Whole(std::int32_t id) {
    EXPECT_TRUE(Wait([&] { return streams[id].ended || streams[id].code; })) << "stream " << id << " has no end";
    return streams[id];
  }
  /// Waits for the head of a request that was not returned before; 0 when none comes.
  std::int32_t NextRequest() {
    const auto next = [&] { return std::ranges::find_if(heads, [&](auto id) { return !seen.contains(id); }); };
    if (!Wait([&] { return next() != heads.end(); })) return 0;
    const std::int32_t id = *next();
    seen.insert(id);
    return id;
  }
  void Flush() {
    const std::uint8_t* bytes = nullptr;
    for (ssize_t count = 0; (count = nghttp2_session_mem_send(session, &bytes)) > 0;) {
      tls->Send({reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(count)});
    }
  }

  std::unique_ptr<TlsPeer> tls;
  nghttp2_session* session = nullptr;
  std::map<std::int32_t, H2Stream> streams;
  std::vector<std::int32_t> heads;  ///< streams whose first head is complete, in order
  std::set<std::int32_t> seen;
  std::optional<std::uint32_t> went_away;  ///< GOAWAY, with its code
  bool over = false;

 private:
  static std::vector<nghttp2_nv> List(const H2Fields& fields) {
    std::vector<nghttp2_nv> list;
    const auto bytes = [](const std::string& text) { return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data())); };
    for (const auto& [name, value] : fields) list.push_back({bytes(name), bytes(value), name.size(), value.size(), 0});
    return list;
  }
  static H2Peer& Of(void* user) { return *static_cast<H2Peer*>(user); }
  static int OnHeader(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_size,
                      const std::uint8_t* value, std::size_t value_size, std::uint8_t, void* user) {
    auto& stream = Of(user).streams[frame->hd.stream_id];
    const std::string key(reinterpret_cast<const char*>(name), name_size);
    const std::string text(reinterpret_cast<const char*>(value), value_size);
    const bool first = !stream.fields.contains(":status") && !stream.fields.contains(":path");
    const bool last = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (key == ":status" && text.starts_with('1')) {
      stream.interim.push_back(text);
    } else if (frame->headers.cat == NGHTTP2_HCAT_HEADERS && last && key != ":status" && !first) {
      stream.trailers[key] = text;
    } else {
      stream.fields[key] = text;
    }
    return 0;
  }
  static int OnFrame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    H2Peer& peer = Of(user);
    const auto id = frame->hd.stream_id;
    if (frame->hd.type == NGHTTP2_HEADERS && std::ranges::find(peer.heads, id) == peer.heads.end()) peer.heads.push_back(id);
    if (frame->hd.type == NGHTTP2_GOAWAY) peer.went_away = frame->goaway.error_code;
    const bool carries = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (carries && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) peer.streams[id].ended = true;
    return 0;
  }
  static int OnData(nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* bytes, std::size_t size,
                    void* user) {
    Of(user).streams[id].body.append(reinterpret_cast<const char*>(bytes), size);
    return 0;
  }
  static int OnClose(nghttp2_session*, std::int32_t id, std::uint32_t code, void* user) {
    Of(user).streams[id].code = code;
    return 0;
  }
  static ssize_t Read(nghttp2_session* session, std::int32_t id, std::uint8_t* buffer, std::size_t size,
                      std::uint32_t* flags, nghttp2_data_source*, void* user) {
    auto& stream = Of(user).streams[id];
    const std::size_t count = std::min(size, stream.to_send.size() - stream.sent);
    std::copy_n(stream.to_send.data() + stream.sent, count, buffer);
    stream.sent += count;
    if (stream.sent == stream.to_send.size() && stream.more && count == 0) return NGHTTP2_ERR_DEFERRED;
    if (stream.sent == stream.to_send.size() && !stream.more) {
      *flags |= NGHTTP2_DATA_FLAG_EOF;
      if (!stream.trailers_to_send.empty()) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        const auto list = List(stream.trailers_to_send);
        nghttp2_submit_trailer(session, id, list.data(), list.size());
      }
    }
    return static_cast<ssize_t>(count);
  }
  static constexpr nghttp2_data_provider kBody{{0}, Read};
};

inline constexpr const char* kH2 = "\x02h2";
inline constexpr std::string_view kBothProtocols = "\x02h2\x08http/1.1";

/// A proxy that intercepts ok.test, with HTTP/2 on both sides of it.
class Http2Test : public InterceptTest {
 protected:
  /// The TLS handshakes of both sides, which wait for each other.
  std::pair<std::unique_ptr<TlsPeer>, std::unique_ptr<TlsPeer>> Handshakes(const ServerCertificate& shown,
                                                                           const char* server_protocol,
                                                                           std::string_view job_protocols,
                                                                           const std::string& host = "ok.test") {
    Peer tunnel = Tunnelled(host);
    auto serving = std::async(std::launch::async, [&] {
      return std::make_unique<TlsPeer>(upstream.Accept(), shown, server_protocol);
    });
    auto near = std::make_unique<TlsPeer>(std::move(tunnel), authority->certificate_pem(), host, job_protocols);
    return {std::move(near), serving.get()};
  }
  /// Both sides speak HTTP/2: `job`, `server`.
  void Connect(const ServerCertificate& shown, const std::string& host = "ok.test") {
    auto [near, far] = Handshakes(shown, kH2, kBothProtocols, host);
    ASSERT_TRUE(near->done && far->done);
    ASSERT_EQ(near->protocol(), "h2");
    ASSERT_EQ(far->protocol(), "h2");
    job = std::make_unique<H2Peer>(std::move(near), H2Peer::Role::kClient);
    server = std::make_unique<H2Peer>(std::move(far), H2Peer::Role::kServer);
  }
  void Connect() { Connect(certificate); }
  /// Serves the next request: its stream at the server.
  std::int32_t Serve(const std::string& body = "ok") {
    const std::int32_t id = server->NextRequest();
    server->Respond(id, {{":status", "200"}}, body);
    return id;
  }
  std::unique_ptr<H2Peer> job, server;
};

}  // namespace writ::egress::test
