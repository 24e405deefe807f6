#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <condition_variable>
#include <cstring>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "crypto/digest.h"
#include "http/server.h"
#include "http/service.h"
#include "storage/memory/memory_store.h"
#include "sys/unique_fd.h"

namespace writ::http {

/// A service whose answers the test gives. Echoes what it was asked unless `on_call` says otherwise.
class FakeService final : public Service {
 public:
  void Call(api::PlaneCall call, Reply reply) override {
    ++calls;
    if (on_call) return on_call(std::move(call), std::move(reply));
    if (call.path == "/metrics") return reply({.content_type = "text/plain; version=0.0.4", .body = "behind 7\n"});
    std::string text = call.method + " " + call.path;
    for (const auto& [name, value] : call.query) text += " " + name + "=" + value;
    reply({.body = text + " [" + call.body + "] " + call.authorization + " " + call.address});
  }
  void MayUpload(std::string authorization, std::string, Permission permission) override {
    if (authorization == "Bearer good") return permission(std::nullopt);
    permission(api::PlaneReply{.status = 401, .body = R"({"error":"unauthorized"})"});
  }
  void Follow(api::PlaneCall call, std::shared_ptr<FollowSink> sink, Permission permission) override {
    if (call.authorization != "Bearer good") return permission(api::PlaneReply{.status = 401, .body = R"({"error":"unauthorized"})"});
    permission(std::nullopt);
    {
      const std::lock_guard lock(mutex_);
      sink_ = std::move(sink);
    }
    changed_.notify_all();
  }
  storage::BlobStore& blobs() override { return *blobs_; }

  std::shared_ptr<FollowSink> WaitForSink() {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, std::chrono::seconds(20), [&] { return sink_ != nullptr; }));
    return std::exchange(sink_, nullptr);
  }

  std::function<void(api::PlaneCall, Reply)> on_call;
  std::atomic<int> calls{0};

 private:
  std::unique_ptr<storage::BlobStore> blobs_ = storage::MakeMemoryBlobStore();
  std::mutex mutex_;  ///< of sink_
  std::condition_variable changed_;
  std::shared_ptr<FollowSink> sink_;
};

/// A server on a free port with the service of the test behind it.
class TestServer {
 public:
  explicit TestServer(ServerOptions options = {}) {
    options.port = 0;
    auto log = std::move(options.log);
    options.log = [this, log](const RequestRecord& record) {
      if (log) log(record);
      const std::lock_guard lock(mutex_);
      records_.push_back(record);
    };
    auto started = Server::Start(std::move(options), service);
    EXPECT_TRUE(started) << started.error().what;
    server = *std::move(started);
  }
  std::uint16_t port() const { return server->port(); }
  std::string url(const char* scheme = "http", const char* host = "127.0.0.1") const {
    return std::string(scheme) + "://" + host + ":" + std::to_string(port());
  }
  std::vector<RequestRecord> records() const {
    const std::lock_guard lock(mutex_);
    return records_;
  }

 private:
  mutable std::mutex mutex_;  ///< of records_
  std::vector<RequestRecord> records_;

 public:
  FakeService service;
  std::unique_ptr<Server> server;  // goes first: its thread uses all of the above
};

/// A client that writes bytes as they are.
class RawClient {
 public:
  explicit RawClient(std::uint16_t port, int receive_buffer = 0) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (receive_buffer > 0) ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    EXPECT_EQ(::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }
  /// False when the server has closed.
  bool Write(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  /// Everything until `end` was seen, or the server closed.
  std::string ReadUntil(std::string_view end) {
    while (buffer_.find(end) == std::string::npos && More()) {
    }
    const std::size_t found = buffer_.find(end);
    const std::size_t size = found == std::string::npos ? buffer_.size() : found + end.size();
    std::string text = buffer_.substr(0, size);
    buffer_.erase(0, size);
    return text;
  }
  /// One answer by its content-length; "" when the server closed.
  std::string ReadAnswer() {
    std::string head = ReadUntil("\r\n\r\n");
    const auto length = head.find("Content-Length: ");
    if (length == std::string::npos) return head;
    const auto size = std::strtoul(head.c_str() + length + 16, nullptr, 10);
    while (buffer_.size() < size && More()) {
    }
    head += buffer_.substr(0, size);
    buffer_.erase(0, std::min<std::size_t>(size, buffer_.size()));
    return head;
  }
  std::string ReadToEnd() {
    while (More()) {
    }
    return std::exchange(buffer_, {});
  }
  /// Whether the server closes without another byte; fails the test after 20 s.
  bool Closed() { return ReadToEnd().empty(); }
  int fd() const { return fd_.get(); }

 private:
  bool More() {
    pollfd item{fd_.get(), POLLIN, 0};
    if (::poll(&item, 1, 20000) != 1) {
      ADD_FAILURE() << "nothing came for 20 s; so far: " << buffer_.substr(0, 500);
      return false;
    }
    char bytes[65536];
    const ssize_t got = ::recv(fd_.get(), bytes, sizeof(bytes), 0);
    if (got <= 0) return false;
    buffer_.append(bytes, static_cast<std::size_t>(got));
    return true;
  }
  sys::UniqueFd fd_;
  std::string buffer_;
};

inline std::string Get(std::string_view path, std::string_view fields = "") {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: localhost\r\n" + std::string(fields) + "\r\n";
}
inline std::string Post(std::string_view path, std::string_view body, std::string_view fields = "") {
  return "POST " + std::string(path) + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
         std::string(fields) + "\r\n" + std::string(body);
}
inline int StatusOf(std::string_view answer) {
  return answer.starts_with("HTTP/1.1 ") ? std::atoi(std::string(answer.substr(9, 3)).c_str()) : 0;
}
inline std::string BodyOf(const std::string& answer) {
  const auto end = answer.find("\r\n\r\n");
  return end == std::string::npos ? "" : answer.substr(end + 4);
}

}  // namespace writ::http
